//! Compatibility: which program's results a run reproduces.
//!
//! The default is the numbers of legacy, the original scripts, with every option off. `port`
//! switches on what the later port in a single file does differently; each difference has its own
//! name. `legacy` given explicitly also reproduces legacy's bytes where the default is cleaner.

use std::fmt;

/// One named difference from legacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opt {
    /// Parse lines as the port does (line ends stripped, unterminated last line used, …).
    LpParse,
    /// Also drop `/cron/tick` without a trailing slash.
    LpCronBare,
    /// Drop `/pipermail/`.
    LpPipermail,
    /// Drop `/robots.txt`.
    LpRobots,
    /// Drop Internet Explorer 7 to 11 from 2022 on.
    LpMsie,
    /// Drop requests for login, browse and register pages without a referrer.
    LpRefererSpam,
    /// Drop old event archive pages without a referrer.
    LpEventsArchive,
    /// Compare bots byte by byte with the list as it was at the start of the file.
    LpBotExact,
    /// Eleven more words identify a bot.
    LpBotTerms,
    /// Compute `dnload` during the import.
    LpDnloadInline,
    /// `webhits` counts kept rows per day instead of hits per run of equal dates.
    LpWebhitsDerived,
    /// Warn if a file contains more than two months.
    LpSpilloverWarning,
    /// Import only `login` and `simulation` from auth logs.
    LpAuthActions,
    /// Auth lines may end in blanks.
    LpAuthTrailing,
    /// Recognise the auth layout with brackets.
    LpAuthBracket,
    /// Import each file atomically, with a ledger.
    LpAtomic,
    /// Check the free space before staging.
    LpSpaceCheck,
    /// Exclude the first midnight of a period from the hits cell (the original script).
    HitsStartExclusive,
    /// Only `dnload` = 1 is a download.
    DownloadsFlag,
    /// Clean bots before sessions are built.
    BotsBeforeSessions,
    /// Build sessions only once a month is over.
    SessionsAtMonthClose,
    /// Also fill host and domain of `websessions` directly.
    RefillWebsessions,
    /// Clear session numbers without a session.
    ClearOrphanStamps,
    /// Rebuild `webhits` from `web` after bots were cleaned.
    DerivedWebhits,
    /// Store host names in lower case; date ranges include their start.
    LpDns,
    /// A `web.host` with an upper-case letter gets no domain; the default end is tomorrow.
    LpDomain,
    /// Private and unknown addresses get the country `-`; lookups are batched.
    LpIpcountry,
    /// Apply profiles without the gate; `0` is a value.
    LpUserInfo,
    /// Merge middleware values by key, compared under the collation.
    LpMiddleware,
    /// Summary arithmetic of the port: raw doubles, empty totals as 0.
    LpSummary,
    /// Who-is-online output of the port.
    LpWhoisonline,
    /// Write the who-is-online map without escaping, as legacy and the port do.
    XmlRaw,
    /// Configuration, setup and exit codes of the port where they differ from ours.
    LpCli,
    /// The tick of the original port, without modes.
    SingleMode,
    /// Count requests and logins of IPv6 clients in hub layouts, and store addresses whole.
    Ipv6,
}

impl Opt {
    /// Every option with its name.
    pub const ALL: &[(Self, &'static str)] = &[
        (Self::LpParse, "lp_parse"),
        (Self::LpCronBare, "lp_cron_bare"),
        (Self::LpPipermail, "lp_pipermail"),
        (Self::LpRobots, "lp_robots"),
        (Self::LpMsie, "lp_msie"),
        (Self::LpRefererSpam, "lp_referer_spam"),
        (Self::LpEventsArchive, "lp_events_archive"),
        (Self::LpBotExact, "lp_bot_exact"),
        (Self::LpBotTerms, "lp_bot_terms"),
        (Self::LpDnloadInline, "lp_dnload_inline"),
        (Self::LpWebhitsDerived, "lp_webhits_derived"),
        (Self::LpSpilloverWarning, "lp_spillover_warning"),
        (Self::LpAuthActions, "lp_auth_actions"),
        (Self::LpAuthTrailing, "lp_auth_trailing"),
        (Self::LpAuthBracket, "lp_auth_bracket"),
        (Self::LpAtomic, "lp_atomic"),
        (Self::LpSpaceCheck, "lp_space_check"),
        (Self::HitsStartExclusive, "hits-start=exclusive"),
        (Self::DownloadsFlag, "downloads=flag"),
        (Self::BotsBeforeSessions, "bots-before-sessions"),
        (Self::SessionsAtMonthClose, "sessions-at-month-close"),
        (Self::RefillWebsessions, "refill-websessions"),
        (Self::ClearOrphanStamps, "clear-orphan-stamps"),
        (Self::DerivedWebhits, "derived-webhits"),
        (Self::LpDns, "lp_dns"),
        (Self::LpDomain, "lp_domain"),
        (Self::LpIpcountry, "lp_ipcountry"),
        (Self::LpUserInfo, "lp_user_info"),
        (Self::LpMiddleware, "lp_middleware"),
        (Self::LpSummary, "lp_summary"),
        (Self::LpWhoisonline, "lp_whoisonline"),
        (Self::XmlRaw, "xml=raw"),
        (Self::LpCli, "lp_cli"),
        (Self::SingleMode, "single-mode"),
        (Self::Ipv6, "ipv6"),
    ];

    /// Options that `port` leaves off: they belong to other versions, or to none.
    const NOT_IN_PORT: &[Self] = &[Self::HitsStartExclusive, Self::SingleMode, Self::Ipv6];

    /// The name of the option on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(opt, _)| *opt == self).map_or("", |(_, name)| name)
    }
}

/// A set of options.
///
/// ```
/// use schema::{Compat, Opt};
///
/// let compat = Compat::parse("port,no-lp_msie").unwrap();
/// assert!(compat.has(Opt::LpRobots) && !compat.has(Opt::LpMsie));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Compat(u64);

/// A word that is not an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOption(String);

impl fmt::Display for UnknownOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a compatibility option; known: default, legacy, port", self.0)?;
        Opt::ALL.iter().try_for_each(|(_, name)| write!(f, ", {name}"))
    }
}

impl std::error::Error for UnknownOption {}

impl Compat {
    /// The original scripts to the last byte: legacy behaviour that is off by default.
    pub const LEGACY: Self = Self(0).with(Opt::XmlRaw);

    /// The later port.
    #[must_use]
    pub fn port() -> Self {
        let mut set = Self::default();
        for (opt, _) in Opt::ALL.iter().filter(|(opt, _)| !Opt::NOT_IN_PORT.contains(opt)) {
            set = set.with(*opt);
        }
        set
    }

    /// Whether `opt` is on.
    #[must_use]
    pub const fn has(self, opt: Opt) -> bool {
        self.0 & (1 << opt as u8) != 0
    }

    /// The set with `opt` on.
    #[must_use]
    pub const fn with(self, opt: Opt) -> Self {
        Self(self.0 | 1 << opt as u8)
    }

    /// The set with `opt` off.
    #[must_use]
    pub const fn without(self, opt: Opt) -> Self {
        Self(self.0 & !(1 << opt as u8))
    }

    /// Parses a list such as `port,no-lp_msie` or `lp_robots,hits-start=exclusive`, left to right,
    /// starting from the default; `-` and `_` are equivalent, and `xml=escaped` means `no-xml=raw`.
    ///
    /// # Errors
    /// A word that is neither `default`, `legacy`, `port` nor an option.
    pub fn parse(text: &str) -> Result<Self, UnknownOption> {
        let mut set = Self::default();
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            set = match word {
                "default" => Self::default(),
                "legacy" => Self::LEGACY,
                "xml=escaped" => set.without(Opt::XmlRaw),
                "port" => Self::port(),
                _ => {
                    let normal = |s: &str| s.replace('-', "_");
                    let (name, on) = word.strip_prefix("no-").map_or((word, true), |name| (name, false));
                    let opt = Opt::ALL.iter().find(|(_, known)| normal(known) == normal(name));
                    let (opt, _) = opt.ok_or_else(|| UnknownOption(word.to_owned()))?;
                    if on { set.with(*opt) } else { set.without(*opt) }
                }
            };
        }
        Ok(set)
    }
}

/// A list that [`Compat::parse`] parses back to the same set.
impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("default")?;
        let on = Opt::ALL.iter().filter(|(opt, _)| self.has(*opt));
        on.map(|(_, name)| name).try_for_each(|name| write!(f, ",{name}"))
    }
}

impl fmt::Debug for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Opt::ALL.iter().filter(|(opt, _)| self.has(*opt)).map(|(_, name)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_one_name_and_one_bit() {
        let mut seen = Compat::default();
        for (opt, name) in Opt::ALL {
            assert!(!seen.has(*opt), "{name}");
            seen = seen.with(*opt);
            assert_eq!(Compat::parse(name), Ok(Compat::default().with(*opt)));
        }
    }

    #[test]
    fn a_printed_list_parses_to_the_same_set() {
        assert_eq!(Compat::default().to_string(), "default");
        for set in [Compat::default(), Compat::LEGACY, Compat::port(), Compat::port().without(Opt::LpDns)] {
            assert_eq!(Compat::parse(&set.to_string()), Ok(set));
        }
    }

    #[test]
    fn lists_apply_from_left_to_right() {
        let set = Compat::parse("port,no-lp_msie,hits-start=exclusive").unwrap();
        assert!(set.has(Opt::LpParse) && !set.has(Opt::LpMsie) && set.has(Opt::HitsStartExclusive));
        assert_eq!(Compat::parse("port,legacy"), Ok(Compat::LEGACY));
        assert_eq!(Compat::parse(""), Ok(Compat::default()));
        assert_eq!(Compat::parse("legacy,default"), Ok(Compat::default()));
        assert!(Compat::parse("nonsense").is_err());
        // legacy-only behaviour is switched on by their names, and off by ours
        let raw = |text| Compat::parse(text).unwrap().has(Opt::XmlRaw);
        assert_eq!(
            ["", "default", "lp_robots", "legacy", "port", "xml=raw"].map(raw),
            [false, false, false, true, true, true]
        );
        assert_eq!(["legacy,xml=escaped", "port,no-xml=raw", "xml=raw,xml=escaped"].map(raw), [false; 3]);
    }
}

//! The map: one marker for each place, with the domains there and who is online from them. Pure.
//!
//! Labels contain markup for the page that shows the map: `_b_` and `_bb_` for bold, `_br_` for a
//! new line, `_hr_` for a rule.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io;

use schema::{Compat, Opt, collation};

use crate::session::{Degrees, Session};

/// How the map is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// As the port writes it.
    port: bool,
    /// Names and places unescaped, even if that is not XML.
    raw: bool,
}

impl From<Compat> for Style {
    fn from(compat: Compat) -> Self {
        Self { port: compat.has(Opt::LpWhoisonline), raw: compat.has(Opt::XmlRaw) }
    }
}

/// Writes the map of the sessions that have a place. `sessions` are in storage order: if rows
/// contradict each other about a place, the first one counts, and domains are listed as they
/// appear.
pub(crate) fn write(sessions: &[Session], style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut places: BTreeMap<(i64, Option<i64>), Vec<&Session>> = BTreeMap::new();
    for session in sessions {
        if let Some(latitude) = session.latitude.as_ref().filter(|latitude| latitude.value != 0.0) {
            let key = (in_order(latitude), session.longitude.as_ref().map(in_order));
            places.entry(key).or_default().push(session);
        }
    }
    let none = Vec::new();
    out.write_all(b"<markers>\n")?;
    for (&(latitude, longitude), there) in &places {
        // without a longitude the scripts count the rows with 0 there, the port none
        let counted = match longitude {
            Some(_) => there,
            None if style.port => &none,
            None => places.get(&(latitude, Some(0))).unwrap_or(&none),
        };
        out.write_all(marker(there[0], counted, style).as_bytes())?;
    }
    out.write_all(b"</markers>\n")
}

/// A number that sorts like the coordinate; both zeros are equal.
fn in_order(degrees: &Degrees) -> i64 {
    let value = if degrees.value == 0.0 { 0.0 } else { degrees.value };
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn marker(place: &Session, sessions: &[&Session], style: Style) -> String {
    let degrees = |degrees: &Option<Degrees>| match degrees {
        Some(degrees) if style.port => python_float(degrees.value),
        Some(degrees) => degrees.text.clone(),
        None if style.port => "None".to_owned(),
        None => String::new(),
    };
    let name = |name: &Option<String>| match name {
        Some(name) => name.clone(),
        None if style.port => "None".to_owned(),
        None => String::new(),
    };
    let bot = sessions.iter().filter_map(|session| session.bot).max();
    let bot = bot.map_or_else(|| if style.port { "0" } else { "" }.to_owned(), |bot| bot.to_string());
    let info = format!(
        "_b_{}, {}, {}_bb__hr_{}",
        name(&place.city),
        name(&place.region),
        name(&place.country),
        domains(sessions, style)
    );
    let value = |text: String| if style.raw { text } else { escaped(&text) };
    format!(
        "<marker lat=\"{}\" lng=\"{}\" info = \"{}\" bot = \"{}\"/>\n",
        value(degrees(&place.latitude)),
        value(degrees(&place.longitude)),
        value(info),
        value(bot)
    )
}

/// Who is online from one domain.
#[derive(Default)]
struct Counts {
    users: HashSet<String>,
    guests: HashSet<String>,
    bots: HashSet<String>,
}

/// The domains of one place, each with its counts.
fn domains(sessions: &[&Session], style: Style) -> String {
    let mut listed: Vec<(Option<String>, &str)> = Vec::new();
    let mut counts: HashMap<String, Counts> = HashMap::new();
    let mut seen = HashSet::new();
    for session in sessions {
        let key = session.domain.as_deref().map(collation::fold);
        if seen.insert(key.clone()) {
            listed.push((key.clone(), session.domain.as_deref().unwrap_or_default()));
        }
        let Some(key) = key else { continue };
        let counts = counts.entry(key).or_default();
        let (who, name) = match (session.guest, session.bot) {
            (Some(0), _) => (&mut counts.users, &session.username),
            (Some(1), Some(0)) => (&mut counts.guests, &session.ip),
            (Some(1), Some(1)) => (&mut counts.bots, &session.ip),
            _ => continue,
        };
        who.extend(name.as_deref().map(collation::fold));
    }
    let mut info = String::new();
    for (key, shown) in listed {
        let _ = write!(info, "_b_{shown}_bb_");
        // the scripts count NULL like the empty text
        let key = key.or_else(|| (!style.port).then(String::new));
        if let Some(counts) = key.and_then(|key| counts.get(&key)) {
            for (label, who) in [("Users", &counts.users), ("Guests", &counts.guests), ("Bots", &counts.bots)] {
                if !who.is_empty() {
                    let _ = write!(info, "_br_ - {label}: {}", who.len());
                }
            }
        }
        info.push_str("_br_");
    }
    let kept = if style.port {
        info.trim_end_matches("_br_").len()
    } else {
        // intended to remove the last `_br_`, it removes every trailing `_`, `b` and `r`
        info.trim_end_matches(['_', 'b', 'r']).len()
    };
    info.truncate(kept);
    info
}

/// A double as printed by Python.
fn python_float(value: f64) -> String {
    let size = value.abs();
    if value != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// The text as the value of an attribute in double quotes; characters that XML does not allow
/// become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEFAULT: Style = Style { port: false, raw: false };
    const RAW: Style = Style { port: false, raw: true };
    const PORT: Style = Style { port: true, raw: true };

    fn session(latitude: f64, longitude: f64, domain: &str) -> Session {
        let text = |text: &str| Some(text.to_owned());
        Session {
            latitude: Some(Degrees::new(latitude)),
            longitude: Some(Degrees::new(longitude)),
            city: text("Brisbane"),
            region: text("Queensland"),
            country: text("AU"),
            domain: text(domain),
            username: text(""),
            guest: Some(1),
            ip: text("1.1.1.1"),
            bot: Some(0),
        }
    }

    fn user(name: &str) -> Session {
        let username = Some(name.to_owned());
        Session { username, guest: Some(0), ..session(-27.46754, 153.02809, "one.one") }
    }

    fn map(sessions: &[Session], style: Style) -> String {
        let mut out = Vec::new();
        write(sessions, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The only marker between the two fixed lines.
    fn one(sessions: &[Session], style: Style) -> String {
        let map = map(sessions, style);
        let inner = map.strip_prefix("<markers>\n").unwrap().strip_suffix("</markers>\n").unwrap();
        assert_eq!(inner.matches("<marker ").count(), 1, "{map}");
        inner.trim_end_matches('\n').to_owned()
    }

    fn info(sessions: &[Session], style: Style) -> String {
        let line = one(sessions, style);
        line.split("_hr_").nth(1).unwrap().split("\" bot").next().unwrap().to_owned()
    }

    #[test]
    fn two_users_at_one_address_share_a_marker() {
        assert_eq!(
            one(&[user("alice"), user("bob")], DEFAULT),
            "<marker lat=\"-27.46754\" lng=\"153.02809\" info = \"_b_Brisbane, Queensland, AU_bb__hr__b_one.one_bb__br_ \
             - Users: 2\" bot = \"0\"/>"
        );
        for style in [DEFAULT, RAW, PORT] {
            assert_eq!(map(&[], style), "<markers>\n</markers>\n");
        }
    }

    #[test]
    fn distinct_names_and_addresses_are_counted() {
        let guest = |ip: &str, bot| Session { ip: Some(ip.to_owned()), bot, ..session(1.0, 2.0, "x.org") };
        let named =
            |name: Option<&str>| Session { username: name.map(str::to_owned), guest: Some(0), ..guest("9", None) };
        let sessions = [
            named(Some("Bob")),
            named(Some("bob ")),
            named(None),
            guest("1", Some(0)),
            guest("1", Some(0)),
            guest("2", Some(0)),
            guest("2", Some(1)),
            guest("3", None),
            Session { guest: None, ..guest("4", Some(1)) },
            Session { domain: Some("X.ORG".to_owned()), ..guest("5", Some(1)) },
        ];
        assert_eq!(info(&sessions, DEFAULT), "_b_x.org_bb__br_ - Users: 1_br_ - Guests: 2_br_ - Bots: 2");
        assert!(one(&sessions, DEFAULT).ends_with(" bot = \"1\"/>"));
    }

    #[test]
    fn the_tail_loses_every_underscore_b_and_r() {
        let silent = |domain: &str| [Session { guest: None, ..session(1.0, 2.0, domain) }];
        assert_eq!(info(&silent("foo.br"), RAW), "_b_foo.");
        assert_eq!(info(&silent("foo.com"), RAW), "_b_foo.com");
        assert_eq!(info(&silent("foo.br"), PORT), "_b_foo.br_bb_");
        assert_eq!(info(&[user("x")], RAW), "_b_one.one_bb__br_ - Users: 1");
        assert_eq!(info(&[user("x")], PORT), "_b_one.one_bb__br_ - Users: 1");
        let two = [silent("a.br"), silent("b.br")].concat();
        assert_eq!(info(&two, RAW), "_b_a.br_bb__br__b_b.");
    }

    #[test]
    fn null_domains_count_as_empty_ones() {
        let null = Session { domain: None, ..session(1.0, 2.0, "") };
        let empty = session(1.0, 2.0, "");
        assert_eq!(info(&[null.clone(), empty.clone()], RAW), "_b__bb__br_ - Guests: 1_br__b__bb__br_ - Guests: 1");
        assert_eq!(info(&[null.clone(), empty], PORT), "_b__bb__br__b__bb__br_ - Guests: 1");
        assert_eq!(info(&[null], RAW), "");
    }

    #[test]
    fn places_are_sorted_and_need_a_latitude() {
        let sessions = [
            session(37.0, 10.0, "a"),
            session(0.0, 5.0, "a"),
            session(-0.0, 5.0, "a"),
            session(-27.5, -1.0, "a"),
            session(37.0, -10.25, "a"),
            session(-27.5, -2.0, "a"),
            Session { latitude: None, ..session(1.0, 1.0, "a") },
        ];
        let places = |style| {
            let map = map(&sessions, style);
            let place = |line: &str| Some(line.strip_prefix("<marker lat=\"")?.split("\" info").next()?.to_owned());
            map.lines().filter_map(place).collect::<Vec<_>>()
        };
        let expected = ["-27.5\" lng=\"-2", "-27.5\" lng=\"-1", "37\" lng=\"-10.25", "37\" lng=\"10"];
        assert_eq!(places(DEFAULT), expected);
        assert_eq!(
            places(PORT),
            ["-27.5\" lng=\"-2.0", "-27.5\" lng=\"-1.0", "37.0\" lng=\"-10.25", "37.0\" lng=\"10.0"]
        );
    }

    #[test]
    fn missing_values_are_written_as_by_legacy() {
        let mut session = session(1.5, 2.0, "x.org");
        (session.city, session.country, session.bot) = (None, None, None);
        session.longitude = None;
        assert_eq!(
            one(std::slice::from_ref(&session), RAW),
            "<marker lat=\"1.5\" lng=\"\" info = \"_b_, Queensland, _bb__hr_\" bot = \"\"/>"
        );
        assert_eq!(
            one(std::slice::from_ref(&session), PORT),
            "<marker lat=\"1.5\" lng=\"None\" info = \"_b_None, Queensland, None_bb__hr_\" bot = \"0\"/>"
        );
        // rows with longitude 0 are counted for both markers
        let zero = Session { longitude: Some(Degrees::new(0.0)), bot: Some(1), ..session.clone() };
        let lines = |style| map(&[session.clone(), zero.clone()], style);
        assert_eq!(lines(RAW).matches("_b_x.org_bb__br_ - Bots: 1\" bot = \"1\"").count(), 2);
        assert_eq!(lines(PORT).matches("_b_x.org_bb__br_ - Bots: 1\" bot = \"1\"").count(), 1);
    }

    #[test]
    fn floats_as_python_prints_them() {
        for (value, text) in [
            (37.0, "37.0"),
            (-27.46754, "-27.46754"),
            (1e-5, "1e-05"),
            (1.5e16, "1.5e+16"),
            (0.0001, "0.0001"),
            (0.0, "0.0"),
        ] {
            assert_eq!(python_float(value), text);
        }
    }

    #[test]
    fn with_xml_raw_nothing_is_escaped() {
        let odd = Session { city: Some("\"A&B\" <\u{1}>".to_owned()), ..session(1.0, 2.0, "x") };
        assert!(one(std::slice::from_ref(&odd), RAW).contains("_b_\"A&B\" <\u{1}>, "));
        assert!(one(&[odd], DEFAULT).contains("_b_&quot;A&amp;B&quot; &lt;\u{FFFD}&gt;, "));
    }

    proptest! {
        #[test]
        fn every_map_is_well_formed(city in any::<String>(), domain in any::<String>(), latitude in -90.0..90.0) {
            let session = Session { city: Some(city.clone()), ..session(latitude, 2.0, &domain) };
            let map = map(&[session], DEFAULT);
            let mut reader = quick_xml::Reader::from_str(&map);
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => break,
                    quick_xml::events::Event::Empty(tag) => {
                        for attribute in tag.attributes() {
                            attribute.unwrap();
                        }
                    }
                    _ => {}
                }
            }
            prop_assert!(map.chars().all(|c| c == '\n' || !c.is_ascii_control() || c == '\x7F'));
        }
    }
}

//! The domain of a host name, by the rule of the who-is-online map.
//!
//! It is the rule of the usage reports with a list of names that are kept whole, and with other
//! results if there is no domain. Pure.

use enrich::domain::{self, Length};

/// Stands for "no domain".
pub(crate) const UNKNOWN: &str = "(unknown)";

/// Whose rule to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Legacy,
    Port,
}

/// Names of bots that are kept whole; every longer name that ends in one becomes it.
const FORCED: [&str; 18] = [
    "brain.grub.org",
    "crawl.yahoo.net",
    "crawl8-public.alexa.com",
    "hanta.yahoo.com",
    "idle.eidetica.com",
    "morgue1.corp.yahoo.com",
    "msnbot.msn.com",
    "panchma.tivra.com",
    "tpiol.tpiol.com",
    "xs4.kso.co.uk",
    "zeus.nj.nec.com",
    "punch.purdue.edu",
    "san2.attens.net",
    "search.msn.com",
    "sac.overture.com",
    "66.237.109.194.ptr.us.xo.net",
    "67.108.223.130.ptr.us.xo.net",
    "67.106.152.131.ptr.us.xo.net",
];

/// The domain of `host`, the name of the address `ip`. Case is kept.
pub(crate) fn of<'h>(ip: &str, host: &'h str, rule: Rule) -> &'h str {
    if host == ip {
        return UNKNOWN;
    }
    match rule {
        Rule::Legacy => legacy(host),
        Rule::Port => port(host),
    }
}

fn legacy(host: &str) -> &str {
    // a dot in the list matches any character, and a match need not begin at a label
    let ends_in = |name: &str| {
        let tail = host.len().checked_sub(name.len()).map(|from| &host.as_bytes()[from..]);
        tail.is_some_and(|tail| tail.iter().zip(name.bytes()).all(|(&b, n)| b == n || n == b'.' && b != b'\n'))
    };
    if let Some(name) = FORCED.iter().rfind(|name| ends_in(name)) {
        return name;
    }
    match by_labels(host) {
        "" | "0" | "." => UNKNOWN,
        domain => domain,
    }
}

/// The rule of the reports, applied to the labels from the last up to the first empty one or `0`.
fn by_labels(host: &str) -> &str {
    let mut from = host.len();
    let mut n_labels = 0;
    for label in host.rsplit('.').take(4).take_while(|label| !matches!(*label, "" | "0")) {
        // the dot before a label belongs to it, except for the last one
        from -= label.len() + usize::from(n_labels > 0);
        n_labels += 1;
    }
    match n_labels {
        0 => host,
        1 => &host[from..],
        _ => domain::domain_of(&host[from..], Length::Bytes),
    }
}

fn port(host: &str) -> &str {
    if let Some(name) = FORCED.iter().find(|name| host.ends_with(*name)) {
        return name;
    }
    match domain::domain_of(host, Length::Chars) {
        "" | domain::UNKNOWN => UNKNOWN,
        domain => domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(host: &str, expected: &str) {
        assert_eq!(of("192.0.2.1", host, Rule::Legacy), expected, "{host}");
    }

    #[test]
    fn domains_are_those_of_the_original() {
        for (host, expected) in [
            ("192.0.2.1", "(unknown)"),
            ("abcmsnbot.msn.com", "msnbot.msn.com"),
            ("livebot-65-55.search.msn.com", "search.msn.com"),
            ("msnbotXmsnXcom", "msnbot.msn.com"),
            ("msn.com", "msn.com"),
            ("66-237-109-194-ptr-us-xo-net", "66.237.109.194.ptr.us.xo.net"),
            ("Foo.Example.COM", "Example.COM"),
            ("MSNBOT.MSN.COM", "MSN.COM"),
            ("a.1-2-3-4-isp.net", "1-2-3-4-isp.net"),
            ("1-2-3-4-isp.net", "isp.net"),
            ("0.1-2-3-4-isp.net", "isp.net"),
            (".1-2-3-4-isp.net", "isp.net"),
            ("localhost", "localhost"),
            ("example.com.", "example.com."),
            ("a..com", "com"),
            ("a.0.com", "com"),
            ("x.0", "x.0"),
            ("0.co.uk", "co.uk"),
            ("b.0.co.uk", "co.uk"),
            ("a.co.uk", "a.co.uk"),
            ("w.k12.va.us", "w.k12.va.us"),
            ("0.k12.va.us", "k12.va.us"),
            (".", "(unknown)"),
            ("0", "(unknown)"),
            ("", "(unknown)"),
            ("..", ".."),
            ("?", "?"),
        ] {
            check(host, expected);
        }
    }

    #[test]
    fn the_port_has_other_domains() {
        for (host, expected) in [
            ("", "(unknown)"),
            ("localhost", "(unknown)"),
            ("msnbotXmsnXcom", "(unknown)"),
            ("abcmsnbot.msn.com", "msnbot.msn.com"),
            ("a..com", ".com"),
            ("example.com.", "com."),
            ("0.co.uk", "0.co.uk"),
        ] {
            assert_eq!(of("192.0.2.1", host, Rule::Port), expected, "{host}");
        }
    }

    /// The same rule, on a list of labels.
    fn slow(host: &str) -> String {
        let labels: Vec<&str> = host.split('.').rev().collect();
        let there = |i: usize| labels.get(i).is_some_and(|label| !label.is_empty() && *label != "0");
        let n = (0..4).take_while(|&i| there(i)).count();
        let mut result = match n {
            0 => host.to_owned(),
            1 => labels[0].to_owned(),
            n => {
                let known = labels[..n].iter().rev().copied().collect::<Vec<_>>().join(".");
                domain::domain_of(&known, Length::Bytes).to_owned()
            }
        };
        if ["", "0", "."].contains(&result.as_str()) {
            result = UNKNOWN.to_owned();
        }
        result
    }

    proptest! {
        #[test]
        fn agrees_with_the_slow_rule(host in "([ab0_-]{0,9}|us|k12|co|uk|\\.){0,9}") {
            prop_assert_eq!(of("192.0.2.1", &host, Rule::Legacy), slow(&host));
        }

        #[test]
        fn never_panics(host in any::<String>(), ip in any::<String>()) {
            for rule in [Rule::Legacy, Rule::Port] {
                prop_assert!(!of(&ip, &host, rule).is_empty());
            }
        }
    }
}

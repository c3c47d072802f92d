//! The rule of a cell in a sentence.

use schema::cells::Summary;
use schema::{Compat, Month, Opt, Period, Place};

/// What the cell counts, with the dates of its period.
pub(crate) fn rule(place: Place, month: Month, period: Period, compat: Compat) -> String {
    let (start, stop) = (period.start(month), Period::stop(month));
    let dates = format!("after {start} and before {stop}");
    let text = match place.summary {
        Summary::Users => users(place, &dates),
        Summary::Simulation => simulation(place.rowid, &dates),
        Summary::Misc if place.rowid == 8 => {
            let from = if compat.has(Opt::HitsStartExclusive) { "after" } else { "from" };
            format!("Hits of the web server, summed over the rows of webhits {from} {start} on and before {stop}")
        }
        Summary::Misc => misc(place.rowid, &dates),
    };
    format!("{text}.")
}

fn users(place: Place, dates: &str) -> String {
    let Place { rowid, colid, .. } = place;
    let words = if colid == 1 { String::new() } else { format!(" {}", place.column_in_words()) };
    let each = if colid == 7 { ", once for each class of organisations" } else { "" };
    let by = |what: &str| if colid == 1 { String::new() } else { format!(", by {what},") };
    let tests = |long: bool| {
        let length = if long { "of 15 minutes or more" } else { "shorter than 15 minutes" };
        let download = match (long, colid) {
            (true, _) => "",
            (false, 1..=6) => ", with a download at any time",
            (false, _) => ", with a download in that time",
        };
        format!("a session {dates} {length}, without a tool start{download}")
    };
    let visitors = |long: bool| {
        let place = if colid <= 6 { by("the country of the address") } else { by("the class of the domain") };
        format!(
            "Visitors (address and host name){words}{place} with {}, from an address that nobody logged in from in \
             that time{each}",
            tests(long)
        )
    };
    let joined = |long: bool| {
        // without the limit of 15 minutes
        let session = if long { tests(true) } else { tests(false).replace(" shorter than 15 minutes,", ",") };
        if colid <= 6 {
            format!("users who ever logged in from an address with {session}, or ever from 127.0.0.1")
        } else {
            format!("Users who ever logged in from an address with {session}, of a domain{words}{each}")
        }
    };
    match rowid {
        1 => format!(
            "Three numbers together: {}; {}; {}",
            users(Place { rowid: 6, ..place }, dates),
            users(Place { rowid: 7, ..place }, dates),
            users(Place { rowid: 8, ..place }, dates)
        ),
        2 => format!("Users{words}{} who started a tool successfully {dates}", by("what the start says")),
        3 | 4 if colid <= 6 => format!("{}; and {}", visitors(rowid == 3), joined(rowid == 3)),
        3 | 4 => joined(rowid == 3),
        6 => format!("Users{words}{} with a login or a simulation in the auth log {dates}", by("their profile")),
        7 => visitors(true),
        _ => visitors(false),
    }
}

fn simulation(rowid: u8, dates: &str) -> String {
    match rowid {
        1 => format!("Users who started a tool successfully {dates}"),
        2 => format!("Successful starts of tools by a user {dates}"),
        3 => format!(
            "CPU seconds of tool sessions that began {dates}: those of the session for most tools, those of its jobs for \
             Rappture tools (without gridstat and hctest)"
        ),
        4 => format!(
            "Seconds from the beginning to the end of tool sessions that began {dates}, without gridstat and hctest"
        ),
        5 => format!("Seconds in which tool sessions were viewed that began {dates}, without gridstat and hctest"),
        6 => format!("Users whose tool sessions that began {dates} took 600 CPU seconds or more together"),
        7 => format!("Successful starts of tools by a user {dates}, divided by the users who made them"),
        8 => format!(
            "Days between the first start since 1995 and the latest one, of users with two starts or more {dates}, divided \
             by all users with a start and given in seconds"
        ),
        9 => format!("Users with ten successful starts of tools or more {dates}"),
        _ => format!("Users whose latest successful start {dates} came 90 days or more after their very first start"),
    }
}

fn misc(rowid: u8, dates: &str) -> String {
    match rowid {
        1 => format!("Different domains of sessions that began {dates}"),
        2 => format!("Sessions that began {dates} and lasted 15 minutes or more or had tool starts"),
        3 => format!("Seconds of the sessions that began {dates} and lasted 15 minutes or more or had tool starts"),
        4 => format!("Visitors (address and host name) with a session that began {dates}"),
        5 => format!("Sessions that began {dates}"),
        6 => format!("Accounts that were registered {dates}"),
        _ => format!("The day {dates} with the most users in the auth log, the earliest of several"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_its_own_sentence() {
        let month = "2025-07".parse().unwrap();
        let rule = |place| rule(place, month, Period::TwelveMonths, Compat::LEGACY);
        let mut all: Vec<String> = Place::all().map(rule).collect();
        let n = all.len();
        for text in &all {
            assert!(text.ends_with('.') && text.contains("2024-08-01") && text.contains("2025-08-01"), "{text}");
            assert!(!text.contains("  ") && !text.contains(",,"), "{text}");
        }
        all.sort();
        all.dedup();
        // simulation users are in two tables
        assert_eq!(all.len(), n - 1);
    }

    #[test]
    fn the_sentence_has_the_dates_of_the_period() {
        let text = rule("4/3".parse().unwrap(), "2025-07".parse().unwrap(), Period::Month, Compat::LEGACY);
        let expected = "Visitors (address and host name) in the United States, by the country of the address, with a session \
             after 2025-07-01 00:00:00 and before 2025-08-01 00:00:00 shorter than 15 minutes, without a tool start, with a \
             download at any time, from an address that nobody logged in from in that time; and users who ever logged in \
             from an address with a session after 2025-07-01 00:00:00 and before 2025-08-01 00:00:00, without a tool start, \
             with a download at any time, or ever from 127.0.0.1.";
        assert_eq!(text, expected);
    }
}

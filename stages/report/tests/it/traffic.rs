//! The section about traffic: straight counts over the records, and what the public may not see.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use scraper::Html;

use super::page::{select, table, text};
use super::report;

/// One request.
fn web(day: &str, ip: &str, content: &str, more: &str) -> String {
    format!(
        "{{\"kind\":\"web\",\"datetime\":\"{day}\",\"ip\":\"{ip}\",\"content\":\"{content}\",\
         \"referrer\":\"https://www.search.example/q?me={ip}\",\
         \"useragent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\",\
         \"uidNumber\":0{more}}}\n"
    )
}

/// Requests of 40 visitors: `/popular` by all, `/rare` by 4, members, two countries that are large and one that is not.
pub(crate) fn traffic() -> String {
    let mut records = String::new();
    for i in 0..40 {
        let country = ["US", "US", "DE", "US"][i % 4];
        let country = if i < 3 { "FR" } else { country };
        let ip = format!("192.0.2.{i}");
        let more = format!(
            ",\"dnload\":{},\"host\":\"pc{i}.lab.university.example\",\"domain\":\"university.example\",\"ipcountry\":\"{country}\"",
            u8::from(i % 2 == 0)
        );
        let day = format!("2025-06-{:02} {:02}:10:00", 1 + i % 10, i % 5);
        records += &web(&day, &ip, &format!("/popular?secret={i}"), &more);
        records += &web(&day, &ip, &format!("/members/{}/profile", 987_000 + i), &more);
        if i < 10 {
            records += &web(&day, &ip, "/common", &more);
        }
        if i < 4 {
            records += &web(&day, &ip, "/rare", &more);
            records += &web(&day, &ip, "/rare", &more);
        }
    }
    records += "{\"kind\":\"hits\",\"datetime\":\"2025-06-01 00:00:00\",\"hits\":321}\n";
    records
}

fn done(args: &[&str], records: &str) -> String {
    report().args(args).stdin(records.to_owned()).finish().ok().text()
}

/// The table of a figure with one column.
fn column(page: &Html, figure: &str) -> BTreeMap<String, String> {
    table(page, figure).into_iter().map(|((row, _), shown)| (row, shown)).collect()
}

fn pairs(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
    rows.iter().map(|(name, n)| ((*name).to_owned(), (*n).to_owned())).collect()
}

#[test]
fn numbers_are_straight_counts() {
    let page = Html::parse_document(&done(&["--private"], &traffic()));
    assert_eq!(
        column(&page, "traffic-countries"),
        pairs(&[("United States", "64"), ("Germany", "19"), ("France", "15")])
    );
    assert_eq!(column(&page, "browsers"), pairs(&[("Firefox", "98")]));
    assert_eq!(column(&page, "systems"), pairs(&[("Linux", "98")]));
    assert_eq!(column(&page, "client-domains"), pairs(&[("university.example", "98")]));
    assert_eq!(column(&page, "referrers"), pairs(&[("search.example", "98")]));
    let days = table(&page, "traffic-days");
    let of = |day: &str, column: &str| days[&(day.to_owned(), column.to_owned())].clone();
    assert_eq!(of("2025-06-01", "Web server hits"), "321");
    let sum: u32 = (1..=10).map(|day| of(&format!("2025-06-{day:02}"), "Requests").parse::<u32>().unwrap()).sum();
    assert_eq!(sum, 98);
    let week = table(&page, "traffic-week");
    assert_eq!(week.values().map(|n| n.parse::<u32>().unwrap()).sum::<u32>(), 98);
    // 1 June 2025 is a Sunday
    assert_eq!(week[&("Sun".to_owned(), "00".to_owned())], "11");
    let card = |name: &str| {
        let card = select(&page, "#content .card").into_iter().find(|card| text(*card).starts_with(name)).unwrap();
        text(card.child_elements().nth(1).unwrap())
    };
    assert_eq!([card("Requests"), card("Downloads"), card("Web server hits")], ["98", "49", "321"]);
}

#[test]
fn the_public_sees_no_host_no_query_no_member_and_nothing_of_fewer_than_five() {
    for format in ["html", "text", "md", "csv"] {
        let public = done(&["--format", format], &traffic());
        for hidden in ["secret", "pc1.lab", "9870", "/rare", "/common", "192.0.2", "France", "q?me"] {
            assert!(!public.contains(hidden), "{format} has {hidden}");
        }
        let popular = if format == "text" { "/popular" } else { "popular" };
        assert!(public.contains(popular), "{format}");
        let private = done(&["--format", format, "--private", "--top", "200"], &traffic());
        for shown in ["secret", "pc1.lab", "987001", "rare", "France"] {
            assert!(private.contains(shown), "{format}: {shown}");
        }
    }
    let page = Html::parse_document(&done(&[], &traffic()));
    // `/rare` alone is small, so `/common` is not shown either; so for France and Germany
    assert_eq!(column(&page, "pages"), pairs(&[("/popular", "40"), ("/members/…/profile", "40")]));
    assert!(text(select(&page, "#pages tfoot")[0]).contains("and 2 more"));
    assert_eq!(column(&page, "traffic-countries"), pairs(&[("United States", "64")]));
    assert!(select(&page, "#hosts").is_empty() && select(&page, "#referrer-urls").is_empty());
}

#[test]
fn rankings_are_cut_and_say_so() {
    let mut records = String::new();
    for i in 0..30 {
        records += &web("2025-06-01 10:00:00", "192.0.2.1", &format!("/p{i}"), "");
    }
    let page = Html::parse_document(&done(&["--private", "--top", "7"], &records));
    assert_eq!(select(&page, "#pages tbody tr").len(), 7);
    assert_eq!(text(select(&page, "#pages tfoot")[0]), "and 23 more");
}

#[test]
fn bots_and_lines_of_logs_have_their_figures() {
    let mut records = String::new();
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for agent in [google, "janes-own-robot/1"] {
        let _ = writeln!(records, "{{\"kind\":\"bot\",\"useragent\":\"{agent}\"}}");
    }
    records += "{\"kind\":\"receipt\",\"stream\":\"access\",\"rows\":500,\"rejected\":30,\"ipv6\":10,\"dropped\":{\"bot\":70}}\n";
    let text_of = done(&[], &records);
    let page = Html::parse_document(&text_of);
    assert_eq!(column(&page, "bots"), pairs(&[("Googlebot", "1"), ("Others", "1")]));
    let lines = [
        ("Kept as requests", "500"),
        ("Left out: bot", "70"),
        ("Not recognised", "20"),
        ("Left out: IPv6 client", "10"),
    ];
    assert_eq!(column(&page, "log-lines"), pairs(&lines));
    assert!(!text_of.contains("janes"));
    let _ = writeln!(
        records,
        "{{\"kind\":\"bot_report\",\"useragent\":\"{google}\",\"requests\":900,\"hits\":40,\"visitors\":3,\"bytes\":5000000,\"list\":\"words\"}}"
    );
    let page = Html::parse_document(&done(&[], &records));
    let of = |column: &str| table(&page, "bots")[&("Googlebot (words)".to_owned(), column.to_owned())].clone();
    assert_eq!([of("Requests"), of("User agents"), of("Megabytes")], ["900", "1", "5"]);
}

#[test]
fn receipts_may_come_as_csv() {
    let csv = "path,stream,rows,rejected,ipv6,dropped\nx,access,500,30,10,\"{\"\"bot\"\":70,\"\"picture\"\":5}\"\n";
    let page = Html::parse_document(&done(&[], csv));
    let lines = [
        ("Kept as requests", "500"),
        ("Left out: bot", "70"),
        ("Left out: picture", "5"),
        ("Not recognised", "20"),
        ("Left out: IPv6 client", "10"),
    ];
    assert_eq!(column(&page, "log-lines"), pairs(&lines));
}

/// Requests at random, and what a straight count makes of them: figure and name lead to the number.
fn at_random(n: u32) -> (String, BTreeMap<(&'static str, String), u32>) {
    let mut counts = BTreeMap::new();
    let mut records = String::new();
    let mut state = 11_u32;
    let mut next = |below: u32| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (state >> 16) % below
    };
    let countries = [("US", "United States"), ("DE", "Germany"), ("FR", "France"), ("IN", "India")];
    for _ in 0..n {
        let (day, hour, page, download) = (1 + next(30), next(24), next(40), next(3) == 0);
        let ((code, country), host, referrer) = (countries[next(4) as usize], next(6), next(5));
        let (page, domain) = (format!("/page/{page}?q={}", next(3)), format!("d{host}.example"));
        let link = format!("https://www.s{referrer}.example/x?{}", next(3));
        let agent = ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "-"][next(2) as usize];
        records += &format!(
            "{{\"kind\":\"web\",\"datetime\":\"2025-06-{day:02} {hour:02}:01:02\",\"ip\":\"192.0.2.{host}\",\"content\":\"{page}\",\
             \"referrer\":\"{link}\",\"useragent\":\"{agent}\",\"uidNumber\":0,\"dnload\":{},\"host\":\"pc.{domain}\",\
             \"domain\":\"{domain}\",\"ipcountry\":\"{code}\"}}\n",
            u8::from(download)
        );
        let mut count = |figure: &'static str, name: String| *counts.entry((figure, name)).or_insert(0) += 1;
        count("pages", page.clone());
        if download {
            count("traffic-downloads", page);
        }
        count("traffic-countries", country.to_owned());
        count("client-domains", domain.clone());
        count("hosts", format!("pc.{domain}"));
        count("referrers", format!("s{referrer}.example"));
        count("referrer-urls", link);
        count("browsers", if agent == "-" { "Others, or not known" } else { "Firefox" }.to_owned());
        count("systems", if agent == "-" { "Others, or not known" } else { "Linux" }.to_owned());
        count("traffic-days", format!("2025-06-{day:02}"));
        // 1 June 2025 is a Sunday
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][(day as usize - 1) % 7];
        count("traffic-week", format!("{weekday} {hour:02}"));
    }
    (records, counts)
}

#[test]
fn every_number_is_a_straight_count() {
    let (records, counts) = at_random(900);
    let page = Html::parse_document(&done(&["--private", "--top", "1000"], &records));
    let mut n = 0;
    for figure in select(&page, "#traffic ~ .figures article.figure") {
        let id = figure.attr("id").unwrap();
        for ((row, column), shown) in table(&page, id) {
            let name = match id {
                "traffic-week" => format!("{row} {column}"),
                "traffic-days" if column != "Requests" => continue,
                _ => row,
            };
            let counted = counts.iter().find(|((of, known), _)| *of == id && *known == name).map_or(0, |(_, n)| *n);
            assert_eq!(shown.replace(',', ""), counted.to_string(), "{id} {name}");
            n += usize::from(counted > 0);
        }
    }
    assert_eq!(n, counts.len(), "every count is on the page");
}

#[test]
fn a_request_without_a_day_is_rejected_and_counted() {
    let bad = "{\"kind\":\"web\",\"datetime\":\"2025-06-00 00:00:00\",\"content\":\"/\"}\n";
    let records = web("2025-06-01 10:00:00", "192.0.2.1", "/", "") + bad;
    let done = report().arg("--private").stdin(records).finish();
    assert!(done.stderr.contains("is not a day"), "{}", done.stderr);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let of = |threads: &str| report().env("RAYON_NUM_THREADS", threads).stdin(traffic()).finish().ok().text();
    assert!(of("1") == of("4"));
}

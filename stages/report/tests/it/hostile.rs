//! Text from the data cannot leave its place, whatever it is: looked at with a parser of HTML.

use fixtures::property::{check, slow_cases};
use proptest::prelude::*;
use scraper::Html;

use super::page::{select, text};
use super::report;

/// Texts that have led out of other pages.
const ATTACKS: [&str; 12] = [
    "</title><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "--><script>alert(1)</script><!--",
    "]]><svg onload=alert(1)>",
    "</svg><iframe src=javascript:alert(1)>",
    "<style>*{display:none}</style>",
    "&lt;script&gt;",
    "{{constructor.constructor('alert(1)')()}}",
    "=HYPERLINK(\"http://evil\")",
    "\u{202e}fdp.exe",
    "\u{1b}[31mred\u{7}",
];

/// A tool and a resource with this title.
fn records(title: &str) -> String {
    let referrer = serde_json::Value::from(format!("http://example.org/{title}"));
    let title = serde_json::Value::from(title);
    [
        format!(r#"{{"kind":"hub_resource","id":1,"title":{title},"type":7}}"#),
        r#"{"kind":"toolstat","id":1,"resid":1,"users":50,"jobs":70,"datetime":"2025-06-00 00:00:00","period":12}"#
            .to_owned(),
        format!(r#"{{"kind":"toptool","id":1,"top":1,"rank":1,"name":{title},"value":30}}"#),
        format!(r#"{{"kind":"toptool","id":1,"top":3,"rank":1,"name":{title},"value":30}}"#),
        format!(
            r#"{{"kind":"session","datetime":"2025-06-01 10:00:00","ip":{title},"host":{title},"ipcountry":{title}}}"#
        ),
        format!(
            r#"{{"kind":"web","datetime":"2025-06-01 10:00:00","ip":{title},"content":{title},"referrer":{referrer},"useragent":{title},"host":{title},"domain":"example.org","ipcountry":"US","dnload":1}}"#
        ),
        format!(r#"{{"kind":"bot_report","useragent":{title},"requests":5,"list":{title}}}"#),
        // an agent without a name is one of the others, who lead nothing
        r#"{"kind":"bot_report","useragent":"ExampleBot/1.0","requests":9,"list":"words"}"#.to_owned(),
        format!(r#"{{"kind":"receipt","stream":"access","rows":0,"dropped":{{{title}:3}}}}"#),
    ]
    .join("\n")
        + "\n"
}

fn page(title: &str) -> (Html, String) {
    let args = ["--private".to_owned(), format!("--title={title}")];
    let done = report().args(args).stdin(records(title)).finish().ok();
    (Html::parse_document(&done.text()), done.text())
}

/// The names of all elements and attributes, in order: the skeleton of a page.
fn skeleton(page: &Html) -> Vec<String> {
    let elements = select(page, "*");
    elements
        .iter()
        .map(|element| {
            let attributes: Vec<_> = element.value().attrs().map(|(name, _)| name).collect();
            format!("{} {}", element.value().name(), attributes.join(" "))
        })
        .collect()
}

/// What the page shows of a text.
fn shown(title: &str) -> String {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{fdd0}'..='\u{fdef}')
            || u32::from(c) & 0xfffe == 0xfffe
    };
    title.trim().chars().map(|c| if unseen(c) { '\u{fffd}' } else { c }).collect()
}

fn stays_in_its_place(title: &str) {
    let (page, source) = page(title);
    let (plain, _) = self::page("A title");
    assert_eq!(skeleton(&page), skeleton(&plain), "{title:?} changes the page: {source}");
    let name = text(select(&page, ".rank-name")[0]);
    assert_eq!(name, shown(title).trim(), "{title:?}");
    assert_eq!(text(select(&page, "h1")[0]), shown(title).trim(), "{title:?}");
    for format in ["text", "md", "csv"] {
        let done = report().args(["--private", "--format", format]).stdin(records(title)).finish().ok();
        let lines = |text: &str| text.lines().count();
        let usual = report().args(["--private", "--format", format]).stdin(records("A title")).finish().ok();
        if format != "text" {
            assert_eq!(lines(&done.text()), lines(&usual.text()), "{title:?} in {format}");
        }
        assert!(!done.text().contains('\u{1b}') && !done.text().contains('\u{202e}'), "{title:?} in {format}");
        if format == "md" {
            assert!(!done.text().contains('<') || !title.contains('<'), "{title:?}: {}", done.text());
        }
    }
}

#[test]
fn a_logo_is_a_picture_and_never_markup() {
    let folder = tempfile::tempdir().unwrap();
    let name = "x\"><script>alert(1)</script>.svg".replace('/', "_");
    let logo = folder.path().join(name);
    std::fs::write(&logo, "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>").unwrap();
    let done = report().arg("--logo").arg(&logo).stdin(records("A title")).finish().ok();
    let page = Html::parse_document(&done.text());
    let source = select(&page, "img.logo")[0].attr("src").unwrap().to_owned();
    assert!(source.starts_with("data:image/svg+xml;base64,") && !done.text().contains("alert(1)"), "{source}");
    std::fs::write(&logo, "<html><script>alert(1)</script>").unwrap();
    report().arg("--logo").arg(&logo).finish().expect_code(2).said(&["is not a PNG"]);
}

#[test]
fn known_attacks_stay_text() {
    for attack in ATTACKS {
        stays_in_its_place(attack);
    }
}

#[test]
fn any_text_stays_in_its_place() {
    let piece = prop_oneof![
        prop::sample::select(&ATTACKS[..]).prop_map(str::to_owned),
        "[a-z<>&\"'/=;:!\\-\\[\\]{}()|*_`\\\\# ]{1,12}",
        "\\PC{1,4}",
    ];
    let title = prop::collection::vec(piece, 1..4).prop_map(|parts| parts.concat());
    let title = title.prop_filter("short and with something to see", |title: &String| {
        title.chars().count() < 110 && title.chars().any(char::is_alphanumeric)
    });
    // two letters are the code of a country, which belongs on the map
    let title = title.prop_filter("not the code of a country", |title: &String| title.trim().len() != 2);
    check(slow_cases(12), &title, |title| {
        stays_in_its_place(&title);
        Ok(())
    });
}

//! `hzmetrics convert`: every record survives the conversion to CSV and back.

use fixtures::contract::{Bad, Contract, Input};
use fixtures::property::{check, slow_cases};
use proptest::prelude::*;
use schema::{Kind, Type};

fn convert(args: &[&str], stdin: impl Into<Vec<u8>>) -> fixtures::Finished {
    fixtures::run(env!("CARGO_BIN_EXE_hzmetrics")).arg("convert").args(args).stdin(stdin).finish()
}

fn contract_of_convert() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_hzmetrics"),
        name: "hzmetrics",
        command: &["convert"],
        main_kind: "web",
        reads: Some("source"),
        give: |run, _, input| {
            let good = "{\"kind\":\"bot\",\"useragent\":\"x\"}\n";
            run.stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => good.to_owned(),
                Input::Bad => format!("{good}{{\"kind\":\"bot\",}}\n"),
                Input::Many => good.repeat(100_000),
            })
        },
        of_nothing: Some(""),
        of_good: "{\"kind\":\"bot\",\"useragent\":\"x\"}\n",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_convert);

/// A field's value as JSON, or nothing.
fn value(ty: Type) -> BoxedStrategy<Option<String>> {
    let text = prop_oneof![
        proptest::sample::select(vec![
            "",
            "\\",
            "\\N",
            "\\\\N",
            "\\=1",
            "null",
            "7",
            "-",
            " ",
            "\n",
            "\r\n",
            "\"",
            ",",
            "é",
            "日本",
            "\u{1}",
            "\t",
            "a\\nb",
            "\u{FEFF}x",
            "=1+1"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
    .prop_map(|text| {
        let mut out = Vec::new();
        schema::json::push_str(&mut out, &text);
        String::from_utf8(out).unwrap()
    });
    let usual = match ty {
        Type::Int => any::<i64>().prop_map(|n| n.to_string()).boxed(),
        Type::Float => {
            (any::<i32>(), 0_u32..7).prop_map(|(n, p)| format!("{}", f64::from(n) / 10_f64.powi(p as i32))).boxed()
        }
        Type::Text => text.clone().boxed(),
        Type::Stamp => proptest::sample::select(vec![
            "\"2025-07-00 00:00:00\"",
            "\"0000-00-00 00:00:00\"",
            "\"2025-07-10 23:59:59\"",
        ])
        .prop_map(str::to_owned)
        .boxed(),
    };
    prop_oneof![
        4 => usual.prop_map(Some),
        2 => Just(None),
        1 => Just(Some("null".to_owned())),
        1 => text.prop_map(Some),
        1 => any::<i32>().prop_map(|n| Some(n.to_string())),
    ]
    .boxed()
}

fn records(kind: &'static schema::KindSpec) -> impl Strategy<Value = String> {
    let fields: Vec<_> = kind.columns.iter().map(|column| value(column.ty)).collect();
    let record = fields.prop_map(move |values| {
        let mut line = format!("{{\"kind\":\"{}\"", kind.name);
        for (column, value) in kind.columns.iter().zip(values) {
            if let Some(value) = value {
                line.push_str(&format!(",\"{}\":{value}", column.name));
            }
        }
        line + "}\n"
    });
    proptest::collection::vec(record, 0..20).prop_map(|lines| lines.concat())
}

#[test]
fn every_kind_comes_back_from_csv() {
    for kind in Kind::ALL {
        // each case starts three processes
        check(slow_cases(12), &records(kind), |ndjson| {
            let csv = convert(&["--format", "csv", "--kind", kind.name], ndjson.clone()).ok();
            prop_assert_eq!(csv.stderr, "", "{}", ndjson);
            prop_assert!(csv.stdout.starts_with(b"kind,"));
            let back = convert(&[], csv.stdout.clone()).ok();
            prop_assert_eq!(
                String::from_utf8_lossy(&back.stdout),
                ndjson.as_str(),
                "{}",
                String::from_utf8_lossy(&csv.stdout)
            );
            prop_assert_eq!(back.stderr, "");
            let again = convert(&["--format", "csv", "--kind", kind.name], back.stdout).ok();
            prop_assert_eq!(again.stdout, csv.stdout);
            Ok(())
        });
    }
}

#[test]
fn a_good_record_is_written_in_every_format() {
    let record = "{\"kind\":\"hits\",\"datetime\":\"2025-07-10 00:00:00\",\"hits\":3}\n";
    assert_eq!(convert(&[], record).ok().text(), record);
    let csv = "kind,datetime,hits\nhits,2025-07-10 00:00:00,3\n";
    assert_eq!(convert(&["--format", "csv"], record).ok().text(), csv);
    assert_eq!(convert(&["--format", "ndjson"], csv).ok().text(), record);
    let table = convert(&["--format", "table"], record).ok().text();
    assert!(table.contains("datetime") && table.contains("2025-07-10 00:00:00     3"), "{table}");
}

#[test]
fn csv_has_one_kind_and_reports_what_it_leaves_out() {
    let mixed = "{\"kind\":\"bot\",\"useragent\":\"x\"}\n{\"kind\":\"hits\",\"hits\":3}\n{\"kind\":\"strange\",\"a\":[1,{\"b\":2}]}\n";
    assert_eq!(convert(&[], mixed).ok().text(), mixed);
    let done = convert(&["--format", "csv"], mixed).ok();
    assert_eq!(done.text(), "kind,useragent\nbot,x\n");
    assert!(done.stderr.contains("2 records of other kinds left out"), "{}", done.stderr);
    assert_eq!(convert(&["--format", "csv", "--kind", "hits"], mixed).ok().text(), "kind,datetime,hits\nhits,\\N,3\n");
    let strange = convert(&["--format", "csv", "--kind", "strange"], mixed).ok();
    assert_eq!(convert(&[], strange.stdout).ok().text(), "{\"kind\":\"strange\",\"a\":[1,{\"b\":2}]}\n");
}

#[test]
fn files_and_destinations_can_be_named() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a"), "{\"kind\":\"bot\",\"useragent\":\"x\"}\n").unwrap();
    std::fs::write(path("b"), "kind,useragent\nbot,y\n").unwrap();
    let both = "{\"kind\":\"bot\",\"useragent\":\"x\"}\n{\"kind\":\"bot\",\"useragent\":\"y\"}\n";
    for _ in 0..2 {
        convert(&[&path("a"), &path("b"), "--to", &path("out")], "").ok();
        assert_eq!(std::fs::read_to_string(path("out")).unwrap(), both);
    }
    assert_eq!(convert(&[&path("a"), "-"], "kind,useragent\nbot,y\n").ok().text(), both);
    let done = convert(&[&path("none")], "").expect_code(1);
    assert!(done.stderr.starts_with("hzmetrics: opening ") && done.stderr.contains("none"), "{}", done.stderr);
    convert(&["--db"], "").expect_code(2);
    convert(&[&path("a"), "--from", &path("b")], "").expect_code(2);
}

#[test]
fn csv_without_a_record_has_a_header() {
    assert_eq!(convert(&["--format", "csv", "--kind", "hits"], "").ok().text(), "kind,datetime,hits\n");
}

#[test]
fn random_bytes_do_no_harm() {
    let bytes = fixtures::random::ten_megabytes(3);
    let mut ndjson = b"{\"kind\":\"bot\"}\n".to_vec();
    ndjson.extend_from_slice(&bytes);
    for (format, input) in [("ndjson", bytes), ("csv", ndjson)] {
        let done = convert(&["--format", format], input);
        assert!(done.code == 0 || done.code == 1, "{}", done.stderr);
        assert!(!done.stderr.contains("panicked"));
    }
}

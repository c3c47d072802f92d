//! The seven crontab lines on the tables of the original package, which have no ledger: two nights
//! with a log that nobody understands and one that grows between two lines.

use std::fs::{self, File};
use std::io::Write as _;

use schema::tables::Engine;

use crate::ground::{Ground, NOBODY, requests, seven_lines};

/// The messages of the lines in one night, by chain; `grow` is called between import and archive.
fn night(ground: &Ground, grow: impl FnOnce()) -> Vec<(String, i32, String)> {
    let mut grow = Some(grow);
    let mut said = Vec::new();
    for line in seven_lines() {
        if line.ends_with(" archive")
            && let Some(grow) = grow.take()
        {
            grow();
        }
        let done = ground.start_as_owner(&format!("hzmetrics {line}")).finish();
        if (done.code, done.stderr.as_str()) != (0, "") {
            said.push((line, done.code, done.stderr));
        }
    }
    said
}

fn left(ground: &Ground) -> Vec<String> {
    let entries = fs::read_dir(ground.at("var/log/httpd/daily")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn two_nights_on_the_original_tables_import_each_log_once() {
    for engine in [Engine::MyIsam, Engine::InnoDb] {
        let Some(ground) = Ground::new(engine, NOBODY) else { return };
        ground.make_our_folders();
        for table in [
            "hz_pruned",
            "hz_generations",
            "hz_writer",
            "import_files",
            "imported_sources",
            "pipeline_state",
            "migrations",
        ] {
            ground.pair.sql(&format!("DROP TABLE IF EXISTS {table}"));
        }
        // day 11 is good, day 12 has another layout, day 13 is still being written
        for day in [12, 13] {
            ground.put_logs(day);
        }
        fs::write(ground.daily(12), "192.0.2.1 - - [x] \"GET / HTTP/1.1\" 200 5\n".repeat(4)).unwrap();
        let said = night(&ground, || {
            let mut log = File::options().append(true).open(ground.daily(13)).unwrap();
            log.write_all(requests(13, 5).split_inclusive('\n').skip(3).collect::<String>().as_bytes()).unwrap();
        });
        let told = |chain: &str, words: &[&str]| {
            let of = said.iter().find(|(line, ..)| line.ends_with(chain)).unwrap_or_else(|| panic!("{said:?}"));
            assert!(of.1 == 1 && words.iter().all(|word| of.2.contains(word)), "{of:?}");
        };
        told(" import", &["20250712: not imported: none of its 4 lines fits"]);
        told(" archive", &["20250712 was not imported and stays", "20250713 has grown"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(left(&ground), ["hub-access.log-20250712", "hub-access.log-20250713"], "{engine:?}");

        // the log was corrected, and no process writes to it: a silent night, and nothing twice
        fs::write(ground.daily(12), requests(12, 2)).unwrap();
        let said = night(&ground, || {});
        assert_eq!((said, left(&ground)), (vec![], vec![]), "{engine:?}");
        let days = "SELECT DATE(datetime), COUNT(*) FROM web GROUP BY 1 ORDER BY 1";
        assert_eq!(ground.pair.lines(days), ["2025-07-11\t3", "2025-07-12\t2", "2025-07-13\t5"], "{engine:?}");
        assert_eq!(ground.pair.value("SELECT COUNT(*) FROM userlogin").unwrap(), "3");
        assert_eq!(ground.pair.value("SELECT SUM(hits) FROM webhits").unwrap(), "10");
    }
}

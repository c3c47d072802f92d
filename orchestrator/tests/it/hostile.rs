//! Hostile bytes for every program: mutated logs, records, lists, receipts and chains. Whatever its
//! input, a program ends by itself, without a panic, with little time and memory.
//!
//! `HZMETRICS_FUZZ_MB` sets how many megabytes are generated (a few by default), `HZMETRICS_SEED`
//! generates others, and `HZMETRICS_FUZZ_BIN` names the folder of the programs (release builds for
//! a campaign: the limit is then two seconds of processor time per file, otherwise a minute).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fixtures::Run;
use fixtures::bounds::{Bounds, Used};
use fixtures::random::Random;

mod make;

use make::Maker;

/// The folder of the programs, and the scratch folder of a case.
struct Ground {
    bin: PathBuf,
    bounds: Bounds,
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let own = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).parent().unwrap().to_owned();
        let given = std::env::var_os("HZMETRICS_FUZZ_BIN").map(PathBuf::from);
        let seconds = if given.is_some() { 2 } else { 60 };
        let bounds = Bounds { processor: Duration::from_secs(seconds), wall: Duration::from_secs(90), megabytes: 300 };
        Self { bin: given.unwrap_or(own), bounds, folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn program(&self, name: &str) -> Run {
        let path = self.bin.join(name);
        assert!(path.exists(), "{} is not built", path.display());
        fixtures::run(path).env("HZMETRICS_ROOT", self.at("root")).dir(self.folder.path())
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
}

/// The layouts by name, and LogFormats.
const FORMATS: [&str; 12] = [
    "hubzero",
    "combined",
    r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#,
    r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
    r#"%{%F %T}t %P \"%r\" %>s %b %h \"%{Referer}i\" \"%{User-agent}i\" %{uidNumber}e %{item_name}e"#,
    "%h %t %m %U %s %b",
    "%{%F %T}t|%a|%m %U%q|%s|%B|%{item_name}n|%{uidNumber}e|%P%%",
    "%h-%s-%b-%t-%r-",
    "%r %t %U %h %s %b",
    r#"\"%h\" \"%t\" \"%r\" \"%s\" \"%b\" \"%{User-Agent}i\""#,
    r#"%h %l %u %t \"%r\" %>s %b"#,
    r#"%h 1%s1%b1%t1%r"#,
];

const COMPATS: [&str; 3] = ["default", "port", "legacy"];

/// One run of a program on generated input.
type Case = fn(&Ground, &mut Maker) -> Run;

fn import(ground: &Ground, maker: &mut Maker) -> Run {
    let name = *maker.random.pick(&["hub-access.log-20250710", "cmsauth.log-20250710", "hub-access.log-20250710.gz"]);
    let bytes = maker.log();
    let log = ground.write(name, &bytes);
    let mut run = ground.program("import-logs").args(["--compat", *maker.random.pick(&COMPATS)]).arg(log);
    if name.starts_with("hub") {
        run = run.args(["--log-format", *maker.random.pick(&FORMATS)]);
    }
    if maker.random.chance(300) {
        run = run.arg("--rejects").arg(ground.at("rejects"));
    }
    if maker.random.chance(200) {
        run = run.arg("--bots").arg(ground.write("bots", &maker.list("useragent")));
    }
    if maker.random.chance(200) {
        run = run.arg("--exclude").arg(ground.write("exclude", &maker.list("filter,type")));
    }
    run
}

fn fetch(ground: &Ground, maker: &mut Maker) -> Run {
    for _ in 0..maker.random.between(1, 5) {
        let name = maker.name();
        let folder = ground.at("logs/daily");
        fs::create_dir_all(&folder).unwrap();
        // a name may be invalid
        let _ = fs::write(folder.join(name), maker.log());
    }
    let run = ground.program("fetch-logs").arg("--logs").arg(ground.at("logs"));
    if maker.random.chance(500) { run.arg("--cat") } else { run }
}

fn resolve(ground: &Ground, maker: &mut Maker) -> Run {
    let map = ground.write("map.csv", &maker.list("ip,host"));
    ground.program("resolve-dns").arg("--map").arg(map).stdin(maker.records())
}

fn usage(ground: &Ground, maker: &mut Maker) -> Run {
    let run = ground.program("usage-metrics").args(["--geo-url", "none", "--only", "domains,sessions,clean-bots"]);
    run.args(["--compat", *maker.random.pick(&COMPATS)]).stdin(maker.records())
}

fn summarize(ground: &Ground, maker: &mut Maker) -> Run {
    let run = ground.program("summarize").args(["--month", "2025-07", "--compat", *maker.random.pick(&COMPATS)]);
    let run = if maker.random.chance(200) {
        run.arg("--domainclass").arg(ground.write("classes.csv", &maker.list("domain,class")))
    } else {
        run
    };
    run.stdin(maker.records())
}

fn tools(ground: &Ground, maker: &mut Maker) -> Run {
    let run = ground.program("tool-metrics").args(["--month", "2025-07", "--geo-url", "none"]);
    run.args(["--only", "tool-stats,tool-tops,tool-toplists"]).stdin(maker.records())
}

fn map(ground: &Ground, maker: &mut Maker) -> Run {
    ground.program("whoisonline").stdin(maker.records())
}

fn archive(ground: &Ground, maker: &mut Maker) -> Run {
    ground.write("logs/daily/hub-access.log-20250710", b"x\n");
    ground.program("archive").stdin(maker.records())
}

fn convert(ground: &Ground, maker: &mut Maker) -> Run {
    let format = *maker.random.pick(&["csv", "ndjson", "table"]);
    ground.program("hzmetrics").args(["convert", "--format", format]).stdin(maker.records())
}

/// A hostile chain is parsed and explained, but not run, because it could start anything.
fn shell(ground: &Ground, maker: &mut Maker) -> Run {
    ground.write("chains/import.sh", &maker.chain());
    ground.program("hzmetrics").env("HZMETRICS_CHAINS", ground.at("chains")).args(["explain", "import", "2025-07"])
}

const CASES: [(u32, &str, Case); 10] = [
    (10, "import-logs", import),
    (2, "fetch-logs", fetch),
    (2, "resolve-dns", resolve),
    (4, "usage-metrics", usage),
    (4, "summarize", summarize),
    (3, "tool-metrics", tools),
    (3, "whoisonline", map),
    (1, "archive", archive),
    (2, "hzmetrics convert", convert),
    (1, "hzmetrics explain", shell),
];

#[test]
fn no_program_panics_hangs_or_grows() {
    let ground = Ground::new();
    let megabytes = u64::from(fixtures::asked("HZMETRICS_FUZZ_MB", 6));
    let seed = u64::from(fixtures::asked("HZMETRICS_SEED", 1));
    let mut turns = Random::new(seed);
    let (mut made, mut n_runs) = (0, 0_u64);
    let mut most: Vec<(&str, u64, Used)> = CASES.iter().map(|(_, name, _)| (*name, 0, Used::default())).collect();
    let mut faults = Vec::new();
    let began = Instant::now();
    // every case once, then by weight
    let weighted: Vec<(u32, usize)> = CASES.iter().enumerate().map(|(i, (weight, ..))| (*weight, i)).collect();
    while made < megabytes << 20 || n_runs < CASES.len() as u64 {
        let i = if n_runs < CASES.len() as u64 { n_runs as usize } else { *turns.weighted(&weighted) };
        let case_seed = turns.bits();
        let mut maker = Maker::new(case_seed, megabytes);
        let run = CASES[i].2(&ground, &mut maker);
        let outcome = run.within(ground.bounds);
        made += maker.made;
        n_runs += 1;
        match outcome {
            Ok((_, used)) => most[i] = (most[i].0, most[i].1 + maker.made, most[i].2.max(used)),
            Err(fault) => {
                let kept = keep(&ground, case_seed);
                faults.push(format!("{} (seed {case_seed}, kept in {}): {fault}", CASES[i].1, kept.display()));
                assert!(faults.len() < 20, "{}", faults.join("\n"));
            }
        }
        ground.clear();
    }
    for (name, made, used) in most {
        let Used { processor, megabytes } = used;
        fixtures::say(&format!("{name}: {} MB in all; at most {processor:?}, {megabytes} MB for a file", made >> 20));
    }
    fixtures::say(&format!("{n_runs} runs on {} MB in {:?}", made >> 20, began.elapsed()));
    assert!(faults.is_empty(), "HZMETRICS_SEED={seed}\n{}", faults.join("\n"));
}

/// Keeps the files of a failed case for inspection.
fn keep(ground: &Ground, seed: u64) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{seed}"));
    let _ = fs::remove_dir_all(&kept);
    fixtures::copy(ground.folder.path(), &kept);
    kept
}

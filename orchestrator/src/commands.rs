//! The commands of `hzmetrics` as data: one row each, read by the command line, by `--help` and
//! by whoever starts the stage behind a command.

use clap::ArgMatches;
use kit::Uses;

use Form::{Flag, Many, Option as Opt, Positional};
use Takes::{Any, BegunMonth, Date, Day, Days, Lookback, Minutes, Number, OneOf, Periods, Sections, Share, YearMonth};

/// One command.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) about: &'static str,
    pub(crate) args: &'static [Arg],
    /// No two of these may be given.
    pub(crate) one_of: &'static [&'static str],
    /// And one of them must.
    pub(crate) one_needed: bool,
    pub(crate) does: Does,
}

impl Row {
    /// What a command does in the folders of a hub; `None` for one that changes nothing there. A chain
    /// leaves it to its stages.
    pub(crate) fn uses(&self, given: &ArgMatches) -> Option<Uses> {
        match self.does {
            Does::Here(Here::Sh | Here::Chains | Here::RunChain | Here::Explain | Here::Convert) => None,
            Does::Here(Here::Status | Here::Audit) => None,
            Does::Here(Here::Doctor) => given.get_flag("fix").then_some(Uses { setup: true, ..Uses::LOGS }),
            Does::Here(Here::Init | Here::Tick | Here::Run) => Some(Uses { setup: true, ..Uses::LOGS }),
            Does::Here(Here::Import) | Does::Stage { exe: "archive", .. } => Some(Uses::LOGS),
            Does::Stage { exe: "fetch-logs", .. } => Some(Uses { logs: true, ..Uses::default() }),
            Does::Stage { exe: "whoisonline", .. } => Some(Uses { map: true, ..Uses::default() }),
            Does::Here(_) | Does::Stage { .. } => Some(Uses::default()),
        }
    }
}

/// Under which heading `--help` lists a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Chains,
    Work,
    Repair,
    Setup,
    Stages,
}

impl Group {
    /// All, in the order of `--help`, with their headings.
    pub(crate) const ALL: &[(Self, &'static str)] = &[
        (Self::Chains, "Chains and records"),
        (Self::Work, "The daily work"),
        (Self::Repair, "Looking after the numbers"),
        (Self::Setup, "Setup and health"),
        (Self::Stages, "Single steps"),
    ];
}

/// What happens when a command is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Code of this crate.
    Here(Here),
    /// A stage is started: its executable, fixed arguments, then those that were given.
    Stage { exe: &'static str, fixed: &'static [&'static str] },
}

/// Commands that this crate does itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    Sh,
    Chains,
    RunChain,
    Explain,
    Convert,
    SetupDb,
    Migrate,
    Import,
    ImportApache,
    ImportHubData,
    ForgetImport,
    RepairImportedSources,
    ReconstructImportedSources,
    FillGeo,
    BackfillDnload,
    RebuildWebhits,
    Tick,
    Run,
    Status,
    Process,
    Analyze,
    Summarize,
    RebuildSummaries,
    MarkDirty,
    ClearDirty,
    RebuildFrom,
    Unpublish,
    Init,
    Doctor,
    Audit,
}

/// One argument.
#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) takes: Takes,
    pub(crate) needed: bool,
    pub(crate) about: &'static str,
    /// How the stage behind the command calls it.
    pub(crate) to: To,
}

/// How an argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its place.
    Positional,
    /// By its place, any number of them.
    Many,
    /// `--name VALUE`, perhaps with a letter.
    Option(std::option::Option<char>),
    /// `--name`.
    Flag,
}

/// Which values an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Any,
    YearMonth,
    /// A month that is not in the future: what is published.
    BegunMonth,
    /// YYYY-MM-DD.
    Day,
    /// YYYYMMDD.
    Days,
    Date,
    Number,
    /// A whole number; less than one counts as one.
    Lookback,
    /// A number; less than nought counts as nought.
    Share,
    /// A number above nought.
    Minutes,
    Periods,
    Sections,
    OneOf(&'static [&'static str]),
}

/// How an argument reaches the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// As it was given.
    Same,
    /// As the value of this option.
    Option(&'static str),
    /// In place of the value that this option of the fixed arguments has.
    Instead(&'static str),
    /// As it was given, but `-` not at all: the stage reads standard input without a file.
    Input,
    /// Not at all.
    Nowhere,
}

/// Sections of `summarize-month --only`.
pub(crate) const SECTIONS: &[&str] = &["reg", "int", "dl", "total", "sim", "sim-usage", "misc"];

const fn arg(name: &'static str, form: Form, takes: Takes, about: &'static str) -> Arg {
    Arg { name, form, takes, needed: false, about, to: To::Same }
}

const fn needed(arg: Arg) -> Arg {
    Arg { needed: true, ..arg }
}

const fn to(option: &'static str, arg: Arg) -> Arg {
    Arg { to: To::Option(option), ..arg }
}

const fn instead(option: &'static str, arg: Arg) -> Arg {
    Arg { to: To::Instead(option), ..arg }
}

const fn nowhere(arg: Arg) -> Arg {
    Arg { to: To::Nowhere, ..arg }
}

const DRY_RUN: Arg = arg("dry-run", Flag, Any, "Say what would be done and change nothing");
const FORCE: Arg = arg("force", Flag, Any, "Go ahead against the guards");
const RUN_FORCE: Arg = arg("force", Flag, Any, "Analyze the current month even if it was analyzed today");
const ONE_MONTH: Arg = arg("one-month", Flag, Any, "Catch up or rebuild one month and end");
const BUDGET: Arg =
    arg("budget", Opt(None), Minutes, "Minutes after which no further month is begun; 60 when left out");
const MONTH: Arg = arg("month", Opt(None), YearMonth, "Month, YYYY-MM");
const MONTH_BEGUN: Arg = arg("month", Opt(None), BegunMonth, "Month, YYYY-MM; not a future one");
const THE_MONTH: Arg = arg("YYYY-MM", Positional, BegunMonth, "The same without --month");
const MONTH_HERE: Arg = arg("YYYY-MM", Positional, BegunMonth, "Month; the current one when left out");
const DATE: Arg = to("--date", arg("DATE", Positional, Date, "YYYY, YYYY-MM, YYYY-MM-DD or LEFT..RIGHT"));
const DAY: Arg = to("--date", arg("YYYYMMDD", Positional, Days, "Only files of this day"));
const ALL: Arg = arg("all", Flag, Any, "Everything, whatever its date");
const NEXT: Arg = arg("next", Flag, Any, "The oldest month that has pending logs");
const ON_DAY: Arg = arg("day", Opt(None), Day, "One day, YYYY-MM-DD");
const SINCE: Arg = arg("since", Opt(None), YearMonth, "First month, YYYY-MM");
const PERIODS: Arg = arg("periods", Opt(None), Periods, "Only these windows: 0, 1, 3, 12, 13, 14");
const DATABASE: Arg =
    needed(to("--database", arg("DATABASE", Positional, OneOf(&["metrics", "hub"]), "Which database the table is in")));
const TABLE: Arg = needed(to("--table", arg("TABLE", Positional, Any, "The table")));
const TABLE_OF_FOUR: Arg = needed(to(
    "--table",
    arg("TABLE", Positional, OneOf(&["web", "websessions", "toolstart", "sessionlog_metrics"]), "The table"),
));
const FILE: Arg = needed(arg("FILE", Positional, Any, "The log file"));
const FILE_OR_STDIN: Arg =
    Arg { to: To::Input, ..needed(arg("FILE", Positional, Any, "The log file; `-` is standard input")) };
const APPLY: Arg = arg("apply", Flag, Any, "Do it; without this only say what would be done");

const fn row(name: &'static str, group: Group, about: &'static str, args: &'static [Arg], does: Does) -> Row {
    Row { name, group, about, args, one_of: &[], one_needed: false, does }
}

const fn stage(
    name: &'static str,
    about: &'static str,
    args: &'static [Arg],
    exe: &'static str,
    fixed: &'static [&'static str],
) -> Row {
    row(name, Group::Stages, about, args, Does::Stage { exe, fixed })
}

const fn one_of(names: &'static [&'static str], row: Row) -> Row {
    Row { one_of: names, one_needed: true, ..row }
}

const fn at_most_one_of(names: &'static [&'static str], row: Row) -> Row {
    Row { one_of: names, ..row }
}

const CHAINS_DIR: Arg =
    arg("chains", Opt(None), Any, "Folder with chains of your own, looked at first (also HZMETRICS_CHAINS)");

/// Every command, in the order of `--help`.
pub(crate) const COMMANDS: &[Row] = &[
    row(
        "sh",
        Group::Chains,
        "Run a chain of programs: a file, -c LINE, or standard input",
        &[
            arg("line", Opt(Some('c')), Any, "The chain itself"),
            arg(
                "FILE",
                Many,
                Any,
                "File with the chain (`-` or nothing: standard input), then NAME=VALUE for its variables",
            ),
        ],
        Does::Here(Here::Sh),
    ),
    row(
        "chains",
        Group::Chains,
        "List the named chains, or print the text of one",
        &[arg("NAME", Positional, Any, "The chain to print"), CHAINS_DIR],
        Does::Here(Here::Chains),
    ),
    row(
        "run-chain",
        Group::Chains,
        "Run a named chain",
        &[
            needed(arg("NAME", Positional, Any, "The chain; `hzmetrics chains` lists them")),
            arg("MONTH|NAME=VALUE", Many, Any, "A month (it becomes MONTH) and variables for the chain"),
            CHAINS_DIR,
        ],
        Does::Here(Here::RunChain),
    ),
    row(
        "explain",
        Group::Chains,
        "Print a named chain as lines for sh that do the same",
        &[
            needed(arg("NAME", Positional, Any, "The chain; `hzmetrics chains` lists them")),
            arg("MONTH|NAME=VALUE", Many, Any, "A month (it becomes MONTH) and variables for the chain"),
            CHAINS_DIR,
        ],
        Does::Here(Here::Explain),
    ),
    row("convert", Group::Chains, "Write records (NDJSON or CSV) in another format", &[], Does::Here(Here::Convert)),
    row("tick", Group::Work, "For cron: who is online, and at minute 30 a run", &[DRY_RUN], Does::Here(Here::Tick)),
    row(
        "run",
        Group::Work,
        "Do what is due: import, analyze, summarize, catch up",
        &[DRY_RUN, RUN_FORCE, ONE_MONTH, BUDGET],
        Does::Here(Here::Run),
    ),
    Row {
        group: Group::Work,
        ..stage(
            "whoisonline",
            "Note where live sessions come from, write the map",
            &[DRY_RUN],
            "whoisonline",
            &["--db"],
        )
    },
    row("status", Group::Work, "Show the state, the pending logs and the settings", &[], Does::Here(Here::Status)),
    at_most_one_of(
        &["next", "month", "day"],
        row(
            "process",
            Group::Work,
            "Import pending days, analyze and summarize",
            &[NEXT, MONTH_BEGUN, ON_DAY, FORCE, DRY_RUN],
            Does::Here(Here::Process),
        ),
    ),
    at_most_one_of(
        &["next", "month", "day", "accept", "set-aside"],
        row(
            "import",
            Group::Work,
            "Import pending days only",
            &[
                NEXT,
                MONTH,
                ON_DAY,
                arg("accept", Opt(None), Any, "A log that was refused: book it as it is"),
                arg("set-aside", Opt(None), Any, "A log that was refused: move it to refused/ beside daily/"),
                FORCE,
                DRY_RUN,
            ],
            Does::Here(Here::Import),
        ),
    ),
    one_of(
        &["YYYY-MM", "month"],
        row(
            "analyze",
            Group::Work,
            "Tool statistics, sessions and summaries of a month",
            &[THE_MONTH, MONTH_BEGUN, FORCE, DRY_RUN],
            Does::Here(Here::Analyze),
        ),
    ),
    one_of(
        &["YYYY-MM", "month"],
        row(
            "summarize",
            Group::Work,
            "Only the summaries of a month",
            &[THE_MONTH, MONTH_BEGUN, FORCE, DRY_RUN],
            Does::Here(Here::Summarize),
        ),
    ),
    row(
        "rebuild-summaries",
        Group::Repair,
        "Compute the summaries of a range of months again",
        &[
            needed(arg("since", Opt(None), BegunMonth, "First month, YYYY-MM")),
            arg("through", Opt(None), BegunMonth, "Last month; the previous one when left out"),
            arg("periods", Opt(None), Any, "Only these windows: 0, 1, 3, 12, 13, 14"),
            DRY_RUN,
        ],
        Does::Here(Here::RebuildSummaries),
    ),
    row(
        "mark-dirty",
        Group::Repair,
        "Note months that must be computed again",
        &[needed(arg("YYYY-MM", Many, BegunMonth, "The months")), DRY_RUN],
        Does::Here(Here::MarkDirty),
    ),
    row(
        "clear-dirty",
        Group::Repair,
        "Take months off that list",
        &[arg("YYYY-MM", Many, YearMonth, "The months"), ALL, DRY_RUN],
        Does::Here(Here::ClearDirty),
    ),
    row(
        "rebuild-from",
        Group::Repair,
        "Have all months from this one on computed again",
        &[needed(arg("YYYY-MM", Positional, BegunMonth, "First month")), DRY_RUN],
        Does::Here(Here::RebuildFrom),
    ),
    row(
        "unpublish",
        Group::Repair,
        "Remove the published numbers of a month and withhold it",
        &[needed(arg("YYYY-MM", Positional, YearMonth, "The month; it may be a future one")), DRY_RUN],
        Does::Here(Here::Unpublish),
    ),
    row(
        "forget-import",
        Group::Repair,
        "Delete what was imported from a log file",
        &[
            needed(arg("FILENAME", Positional, Any, "Name of the log file")),
            arg(
                "table",
                Opt(None),
                OneOf(&["web", "userlogin", "webhits", "all"]),
                "Only the rows of this table; all when left out",
            ),
            DRY_RUN,
        ],
        Does::Here(Here::ForgetImport),
    ),
    row(
        "repair-imported-sources",
        Group::Repair,
        "Correct row ranges in the ledger of imports",
        &[APPLY],
        Does::Here(Here::RepairImportedSources),
    ),
    row(
        "reconstruct-imported-sources",
        Group::Repair,
        "Fill the ledger of imports from the archived logs",
        &[
            arg("validate", Flag, Any, "Compare with what the ledger says"),
            APPLY,
            SINCE,
            arg("target", Opt(None), OneOf(&["web", "userlogin"]), "Only this table"),
        ],
        Does::Here(Here::ReconstructImportedSources),
    ),
    one_of(
        &["month", "all"],
        row(
            "fill-geo",
            Group::Repair,
            "Fill in countries that are missing",
            &[MONTH, ALL, DRY_RUN],
            Does::Here(Here::FillGeo),
        ),
    ),
    row(
        "backfill-dnload",
        Group::Repair,
        "Decide which old requests were downloads",
        &[arg("start", Opt(None), YearMonth, "First month, YYYY-MM"), DRY_RUN],
        Does::Here(Here::BackfillDnload),
    ),
    one_of(
        &["month", "all"],
        row(
            "rebuild-webhits",
            Group::Repair,
            "Count the hits of each day again from web",
            &[MONTH_BEGUN, ALL, DRY_RUN],
            Does::Here(Here::RebuildWebhits),
        ),
    ),
    row(
        "setup-db",
        Group::Setup,
        "Create the metrics database and its tables, fill the static ones",
        &[
            DRY_RUN,
            arg("no-seed", Flag, Any, "Leave the static tables empty"),
            arg("engine", Opt(None), OneOf(&["InnoDB", "MyISAM"]), "Engine of new tables; InnoDB when left out"),
            arg(
                "domainclass",
                Opt(None),
                Any,
                "CSV file (domain,class,country,…) in place of the built-in domain list",
            ),
            arg("grants", Opt(None), Any, "Print the GRANTs that the account USER@HOST needs, and do nothing else"),
        ],
        Does::Here(Here::SetupDb),
    ),
    row(
        "migrate",
        Group::Setup,
        "Show the schema migrations, or apply them",
        &[APPLY, arg("required-only", Flag, Any, "Only those that the stages need"), DRY_RUN],
        Does::Here(Here::Migrate),
    ),
    row("init", Group::Setup, "Create folders, database and tables of a new hub", &[], Does::Here(Here::Init)),
    row(
        "doctor",
        Group::Setup,
        "Check settings, folders and database",
        &[arg("fix", Flag, Any, "Repair what can be repaired")],
        Does::Here(Here::Doctor),
    ),
    at_most_one_of(
        &["months", "all"],
        row(
            "audit",
            Group::Setup,
            "Look for numbers that cannot be right",
            &[
                arg("months", Opt(None), Lookback, "How many months back; 24 when left out"),
                arg("all", Flag, Any, "All months that have data"),
                arg(
                    "floor",
                    Opt(None),
                    Share,
                    "Share of missing names below which nothing is said; 0.05 when left out",
                ),
            ],
            Does::Here(Here::Audit),
        ),
    ),
    stage("fetch-logs", "Copy pending logs to the staging files", &[DAY, DRY_RUN], "fetch-logs", &["--stage"]),
    stage("archive-logs", "Move imported logs to the archive", &[DAY, DRY_RUN], "archive", &["--db"]),
    stage("import-logs", "Load the staging files", &[DRY_RUN], "import-logs", &["--db"]),
    row(
        "import-apache",
        Group::Stages,
        "Load one access log and move it to the archive",
        &[FILE, DRY_RUN],
        Does::Here(Here::ImportApache),
    ),
    stage(
        "import-auth",
        "Load one auth log, whether it was loaded before or not",
        &[FILE_OR_STDIN, DRY_RUN],
        "import-logs",
        &["--to", "db", "--no-ledger", "--raw", "auth"],
    ),
    stage(
        "identify-bots",
        "Note the robots of one access log",
        &[FILE_OR_STDIN, DRY_RUN],
        "import-logs",
        &["--to", "db", "--no-ledger", "--only", "identify-bots", "--raw", "access"],
    ),
    row(
        "import-hub-data",
        Group::Stages,
        "Copy users and tool sessions of the hub",
        &[DRY_RUN],
        Does::Here(Here::ImportHubData),
    ),
    stage(
        "middleware-wall",
        "Tool starts with their wall time",
        &[DRY_RUN],
        "usage-metrics",
        &["--db", "--only", "middleware-wall"],
    ),
    stage(
        "middleware-cpu",
        "Tool starts with their CPU time",
        &[DRY_RUN],
        "usage-metrics",
        &["--db", "--only", "middleware-cpu"],
    ),
    stage(
        "resolve-dns",
        "Fill in host names by reverse DNS",
        &[
            DATABASE,
            TABLE,
            DATE,
            ALL,
            arg("nameserver", Opt(Some('n')), Any, "Name server, or `system`"),
            arg("concurrency", Opt(Some('c')), Number, "Lookups at a time"),
            arg("timeout", Opt(Some('t')), Any, "Seconds for a lookup"),
            DRY_RUN,
        ],
        "resolve-dns",
        &["--db"],
    ),
    stage(
        "fill-domain",
        "Derive domains from host names",
        &[DATABASE, TABLE_OF_FOUR, DATE, ALL, DRY_RUN],
        "usage-metrics",
        &["--db", "--only", "domains"],
    ),
    stage(
        "fill-user-info",
        "Fill in what is known of the users",
        &[DATABASE, TABLE_OF_FOUR, nowhere(DATE), nowhere(ALL), DRY_RUN],
        "usage-metrics",
        &["--db", "--all", "--only", "user-info"],
    ),
    stage(
        "fill-ipcountry",
        "Fill in countries of addresses",
        &[
            DATABASE,
            TABLE_OF_FOUR,
            DATE,
            to("--geo-url", arg("url", Opt(None), Any, "Geo service")),
            to("--geo-key", arg("hub-key", Opt(None), Any, "Key for it")),
            to("--geo-timeout", arg("timeout", Opt(None), Any, "Seconds to wait for it; 5 when left out")),
            DRY_RUN,
        ],
        "usage-metrics",
        &["--db", "--only", "countries"],
    ),
    stage(
        "clean-bots",
        "Remove robots",
        &[needed(to("--table", arg("TABLE", Positional, OneOf(&["web", "websessions"]), "The table"))), DATE, DRY_RUN],
        "usage-metrics",
        &["--db", "--only", "clean-bots"],
    ),
    stage(
        "logfix-session",
        "Build the sessions of a month",
        &[MONTH_HERE, DRY_RUN],
        "usage-metrics",
        &["--db", "--only", "sessions", "--with-sessions"],
    ),
    stage(
        "gen-tool-stats",
        "Statistics of each tool",
        &[MONTH_HERE, DRY_RUN],
        "tool-metrics",
        &["--db", "--only", "tool-stats"],
    ),
    stage(
        "gen-tool-tops",
        "Top values of each tool",
        &[MONTH_HERE, DRY_RUN],
        "tool-metrics",
        &["--db", "--only", "tool-tops"],
    ),
    stage(
        "gen-tool-toplists",
        "Lists over all tools",
        &[MONTH_HERE, DRY_RUN],
        "tool-metrics",
        &["--db", "--only", "tool-toplists"],
    ),
    stage(
        "andmore-usage",
        "Usage of each resource",
        &[MONTH_HERE, DRY_RUN],
        "summarize",
        &["--db", "--only", "andmore"],
    ),
    stage(
        "summarize-month",
        "Cells of the summary tables",
        &[
            arg("YYYY-MM", Positional, BegunMonth, "Month; the previous one when left out"),
            instead(
                "--only",
                arg("only", Opt(None), Sections, "Only these sections: reg, int, dl, total, sim, sim-usage, misc"),
            ),
            PERIODS,
            DRY_RUN,
        ],
        "summarize",
        &["--db", "--only", "summary"],
    ),
];

/// The values given for the arguments of a row, each with the row's own description of it.
pub(crate) type Given<'a> = (&'a Arg, Vec<String>);

/// The arguments with which the stage behind a command is started.
pub(crate) fn stage_args(fixed: &[&str], given: &[Given<'_>]) -> Vec<String> {
    let mut args: Vec<_> = fixed.iter().map(|word| (*word).to_owned()).collect();
    let mut positional = Vec::new();
    // everything is everything, whatever date stands beside it
    let is_all = given.iter().any(|(arg, _)| arg.name == ALL.name);
    for (arg, values) in given.iter().filter(|(arg, _)| !(is_all && arg.name == DATE.name)) {
        let own = format!("--{}", arg.name);
        match (arg.to, arg.form) {
            (To::Nowhere, _) => {}
            (To::Input, _) => positional.extend(values.iter().filter(|file| *file != "-").cloned()),
            (To::Instead(option), _) => {
                let at = args.iter().position(|word| word == option);
                if let Some((old, new)) = at.and_then(|at| args.get_mut(at + 1)).zip(values.first()) {
                    old.clone_from(new);
                }
            }
            (To::Same, Flag) => args.push(own),
            (To::Same, Positional | Many) => positional.extend(values.iter().cloned()),
            (To::Same, Opt(_)) => values.iter().for_each(|value| args.extend([own.clone(), value.clone()])),
            (To::Option(name), Flag) => args.push(name.to_owned()),
            (To::Option(name), _) => values.iter().for_each(|value| args.extend([name.to_owned(), value.clone()])),
        }
    }
    if !positional.is_empty() {
        // a file name may begin with a dash
        args.push("--".to_owned());
        args.extend(positional);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_list_is_complete() {
        let mut expected = vec!["sh", "chains", "run-chain", "explain", "convert"];
        expected.extend(
            "tick run whoisonline status process import analyze summarize rebuild-summaries mark-dirty clear-dirty \
             rebuild-from unpublish forget-import repair-imported-sources reconstruct-imported-sources setup-db migrate init \
             doctor audit fill-geo backfill-dnload rebuild-webhits \
             fetch-logs archive-logs import-logs import-apache import-auth identify-bots import-hub-data \
             middleware-wall middleware-cpu resolve-dns fill-domain fill-user-info fill-ipcountry clean-bots \
             logfix-session gen-tool-stats gen-tool-tops gen-tool-toplists andmore-usage summarize-month"
                .split_whitespace(),
        );
        let mut names: Vec<_> = COMMANDS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn rows_are_sound() {
        for row in COMMANDS {
            let mut names: Vec<_> = row.args.iter().map(|arg| arg.name).collect();
            for name in row.one_of {
                assert!(names.contains(name), "{}: {name}", row.name);
            }
            names.sort_unstable();
            let n_names = names.len();
            names.dedup();
            assert_eq!(names.len(), n_names, "{} has two arguments of one name", row.name);
            assert!(!row.about.ends_with('.') && row.args.iter().all(|arg| !arg.about.ends_with('.')), "{}", row.name);
            assert!(Group::ALL.iter().any(|(group, _)| *group == row.group));
        }
    }

    #[test]
    fn arguments_reach_the_stage() {
        let row = |name: &str| COMMANDS.iter().find(|row| row.name == name).unwrap();
        let check = |name: &str, values: &[(&str, &str)], expected: &str| {
            let row = row(name);
            let Does::Stage { exe, fixed } = row.does else { panic!("{name} is no stage") };
            let given: Vec<_> = row
                .args
                .iter()
                .filter_map(|arg| {
                    let (_, value) = values.iter().find(|(name, _)| *name == arg.name)?;
                    Some((arg, vec![(*value).to_owned()]))
                })
                .collect();
            assert_eq!(format!("{exe} {}", stage_args(fixed, &given).join(" ")), expected);
        };
        check(
            "resolve-dns",
            &[("DATABASE", "metrics"), ("TABLE", "web"), ("DATE", "2025-07"), ("concurrency", "50"), ("dry-run", "")],
            "resolve-dns --db --database metrics --table web --date 2025-07 --concurrency 50 --dry-run",
        );
        check(
            "fill-user-info",
            &[("DATABASE", "metrics"), ("TABLE", "toolstart"), ("DATE", "2025"), ("all", "")],
            "usage-metrics --db --all --only user-info --database metrics --table toolstart",
        );
        check(
            "logfix-session",
            &[("YYYY-MM", "2025-07")],
            "usage-metrics --db --only sessions --with-sessions -- 2025-07",
        );
        check(
            "fill-domain",
            &[("DATABASE", "metrics"), ("TABLE", "web"), ("DATE", "2025"), ("all", "")],
            "usage-metrics --db --only domains --database metrics --table web --all",
        );
        check("import-auth", &[("FILE", "-x")], "import-logs --to db --no-ledger --raw auth -- -x");
        check("import-auth", &[("FILE", "-")], "import-logs --to db --no-ledger --raw auth");
        check("summarize-month", &[("periods", "0")], "summarize --db --only summary --periods 0");
        check("summarize-month", &[("only", "reg,int")], "summarize --db --only reg,int");
    }
}

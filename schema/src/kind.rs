//! The record kinds: their names, their fields in canonical order, and what each field means.
//!
//! Each record is one line with a JSON object that has a field `kind`; field names are the column
//! names of the tables. An absent field means NULL (or "not known yet"). This list is the single
//! source of the CSV headers, of `--describe` and of the page on records.

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A JSON number without a fraction.
    Int,
    /// A JSON number.
    Float,
    /// A JSON string.
    Text,
    /// A JSON string `YYYY-MM-DD HH:MM:SS`, day zero allowed.
    Stamp,
}

/// One field of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Field name in JSON, column name in CSV and in the table.
    pub name: &'static str,
    /// How it is written.
    pub ty: Type,
    /// Meaning, unit, what absence means.
    pub doc: &'static str,
}

/// What is known about a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSpec {
    /// The kind.
    pub kind: Kind,
    /// The text of the `kind` field.
    pub name: &'static str,
    /// The table with these rows; empty if there is none. Hub tables have the usual prefix.
    pub table: &'static str,
    /// Which programs write such records.
    pub made_by: &'static str,
    /// What one record represents.
    pub doc: &'static str,
    /// The fields, in the order in which they are written.
    pub columns: &'static [Column],
}

/// A record kind that the stages know; others pass through unchanged.
///
/// ```
/// let spec = schema::Kind::from_name("hits").unwrap().spec();
/// let fields: Vec<_> = spec.columns.iter().map(|column| column.name).collect();
/// assert_eq!((spec.table, fields), ("webhits", vec!["datetime", "hits"]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `source`: A log file that was found.
    Source,
    /// `web`: One kept request; the columns of `web`.
    Web,
    /// `login`: One line of the CMS auth log; the columns of `userlogin`.
    Login,
    /// `hits`: Hits of one run of equal dates; the columns of `webhits`.
    Hits,
    /// `bot`: A user agent that is a bot.
    Bot,
    /// `reject`: A line that could not be used.
    Reject,
    /// `receipt`: What was actually loaded from one file.
    Receipt,
    /// `session`: A visit; the columns of `websessions`.
    Session,
    /// `toolstart`: A tool that was started; the columns of `toolstart`.
    Toolstart,
    /// `tool_session`: A tool session with what is known about its user; the columns of
    /// `sessionlog_metrics`.
    ToolSession,
    /// `hub_session`: A tool session as the middleware logged it; the columns of the hub table `sessionlog`.
    HubSession,
    /// `hub_job`: A job of a tool session; the columns of the hub table `joblog`.
    HubJob,
    /// `hub_user`: A registered user.
    HubUser,
    /// `hub_profile`: A profile; the columns of the hub table `xprofiles` that are used.
    HubProfile,
    /// `hub_user_profile`: One value of a user profile.
    HubUserProfile,
    /// `hub_resource`: A resource of the hub.
    HubResource,
    /// `hub_resource_assoc`: A child of a resource.
    HubResourceAssoc,
    /// `hub_tool_version`: A version of a tool.
    HubToolVersion,
    /// `toolstat`: Usage of one tool in one period; the columns of `resource_stats_tools`.
    ToolStat,
    /// `toptool`: One place in the top list of a tool; the columns of `resource_stats_tools_topvals`.
    TopTool,
    /// `toplist`: One place in a list over all tools; the columns of `stats_topvals`.
    TopList,
    /// `resource_stat`: Usage of one resource; the columns of `resource_stats`.
    ResourceStat,
    /// `online`: A live session and where it comes from; the columns of the hub table `session_geo`.
    Online,
    /// `cell`: One cell of a summary table.
    Cell,
    /// `verdict`: What became of one line of a log.
    Verdict,
    /// `bot_report`: What one bot requested.
    BotReport,
    /// `usage`: One line of the usage table.
    Usage,
    /// `why`: A cell and the rule that it is made by.
    Why,
    /// `evidence`: One row that a cell is made of.
    Evidence,
    /// `session_part`: Requests that one part of the visitors made in succession.
    SessionPart,
    /// `part_end`: The end of what one part of the visitors made.
    PartEnd,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[KindSpec] = &[
        SOURCE,
        WEB,
        LOGIN,
        HITS,
        BOT,
        REJECT,
        RECEIPT,
        SESSION,
        TOOLSTART,
        TOOLSESSION,
        HUBSESSION,
        HUBJOB,
        HUBUSER,
        HUBPROFILE,
        HUBUSERPROFILE,
        HUBRESOURCE,
        HUBRESOURCEASSOC,
        HUBTOOLVERSION,
        TOOLSTAT,
        TOPTOOL,
        TOPLIST,
        RESOURCESTAT,
        ONLINE,
        CELL,
        VERDICT,
        BOTREPORT,
        USAGE,
        WHY,
        EVIDENCE,
        SESSIONPART,
        PARTEND,
    ];

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|spec| spec.name == name).map(|spec| spec.kind)
    }

    /// What is known of the kind.
    #[must_use]
    pub const fn spec(self) -> &'static KindSpec {
        &Self::ALL[self as usize]
    }

    /// The text of the `kind` field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }
}

const fn c(name: &'static str, ty: Type, doc: &'static str) -> Column {
    Column { name, ty, doc }
}

/// The exact path if it is not UTF-8, as `kit::path_text` writes it.
const PATH_BYTES: Column = c(
    "path_bytes",
    Type::Text,
    "A path that is not UTF-8, with `%` and each such byte as `%XX`; takes precedence over `path`.",
);

const SOURCE: KindSpec = KindSpec {
    kind: Kind::Source,
    name: "source",
    table: "",
    made_by: "fetch-logs",
    doc: "A log file that was found.",
    columns: &[
        c("path", Type::Text, "Path of the file, as given or found."),
        c("stream", Type::Text, "`access` or `auth`."),
        c("date", Type::Text, "Date in the file name, YYYYMMDD; absent if there is none."),
        c("bytes", Type::Int, "Size of the stored file, in bytes."),
        c("compression", Type::Text, "`none`, `gzip`, `zstd`, `bzip2`, `xz` or `lz4`, by content."),
        c("log_format", Type::Text, "Layout of an access log: a name or format that `--log-format` accepts."),
        PATH_BYTES,
    ],
};

/// The columns of `web` that every import fills, in the order of the record: from the time to the eight
/// columns for the CMS.
pub const IMPORTED_WEB_COLUMNS: [&str; 15] = {
    let mut names = [""; 15];
    let mut i = 0;
    while i < names.len() {
        names[i] = WEB.columns[i].name;
        i += 1;
    }
    names
};

const WEB: KindSpec = KindSpec {
    kind: Kind::Web,
    name: "web",
    table: "web",
    made_by: "import-logs",
    doc: "One kept request; the columns of `web`.",
    columns: &[
        c("datetime", Type::Stamp, "Time of the request, wall clock of the web server."),
        c(
            "ip",
            Type::Text,
            "Client address: as logged and at most 15 characters in hub layouts, else and with `--compat ipv6` canonical.",
        ),
        c("content", Type::Text, "Requested URL, runs of slashes collapsed, at most 255 bytes."),
        c("referrer", Type::Text, "Referrer as logged, at most 255 bytes."),
        c("useragent", Type::Text, "User agent as logged, at most 255 bytes."),
        c("uidNumber", Type::Int, "Number of the logged-in user, 0 for none."),
        c("apache_pid", Type::Text, "Process id of the web server."),
        c("joomla_sessionid", Type::Text, "CMS session."),
        c("site_cookie", Type::Text, "Site cookie."),
        c("auth_type", Type::Text, "Kind of login."),
        c("component_name", Type::Text, "CMS component."),
        c("view_name", Type::Text, "CMS view."),
        c("task_name", Type::Text, "CMS task."),
        c("action_name", Type::Text, "CMS action."),
        c("item_name", Type::Text, "CMS item."),
        c("dnload", Type::Int, "1 for a download, 0 otherwise; absent if not decided during the import."),
        c("host", Type::Text, "Name of the client, `?` if it has none; absent if neither logged nor looked up."),
        c("domain", Type::Text, "Domain of the client, `?` if it cannot be derived."),
        c("ipcountry", Type::Text, "Country of the address, ISO 3166 alpha-2."),
        c("sessionid", Type::Int, "Session of the request."),
        c("id", Type::Int, "Row id, in records from the database."),
        c("elementid", Type::Int, "Unused."),
        c(
            "utc_offset",
            Type::Int,
            "Offset of the clock from UTC in seconds; only if `import-logs --timezone` converted the time and \
             the clocks show it twice.",
        ),
    ],
};

const LOGIN: KindSpec = KindSpec {
    kind: Kind::Login,
    name: "login",
    table: "userlogin",
    made_by: "import-logs",
    doc: "One line of the CMS auth log; the columns of `userlogin`.",
    columns: &[
        c("datetime", Type::Stamp, "Time of the event."),
        c("uidNumber", Type::Int, "Number of the user, 0 if not logged."),
        c("user", Type::Text, "Login name, `-` for none."),
        c("ip", Type::Text, "Client address."),
        c("action", Type::Text, "What happened: login, logout, simulation, …"),
        c("id", Type::Int, "Row id, in records from the database."),
    ],
};

const HITS: KindSpec = KindSpec {
    kind: Kind::Hits,
    name: "hits",
    table: "webhits",
    made_by: "import-logs",
    doc: "Hits of one run of equal dates; the columns of `webhits`.",
    columns: &[
        c("datetime", Type::Stamp, "The day, at midnight; the zero datetime if a file has no hit."),
        c("hits", Type::Int, "Requests that pass the hit filter."),
    ],
};

const BOT: KindSpec = KindSpec {
    kind: Kind::Bot,
    name: "bot",
    table: "bot_useragents",
    made_by: "import-logs",
    doc: "A user agent that is a bot.",
    columns: &[c("useragent", Type::Text, "The agent, at most 255 bytes.")],
};

const REJECT: KindSpec = KindSpec {
    kind: Kind::Reject,
    name: "reject",
    table: "",
    made_by: "every stage",
    doc: "A line that could not be used.",
    columns: &[
        c("path", Type::Text, "File, or `-` for standard input."),
        c("line", Type::Int, "Line number, from 1."),
        c("reason", Type::Text, "Why."),
        c("text", Type::Text, "The line; bytes that are not UTF-8 are U+FFFD."),
        c("hex", Type::Text, "The bytes in hexadecimal, if they are not UTF-8."),
    ],
};

const RECEIPT: KindSpec = KindSpec {
    kind: Kind::Receipt,
    name: "receipt",
    table: "imported_sources",
    made_by: "import-logs",
    doc: "What was actually loaded from one file.",
    columns: &[
        c("path", Type::Text, "Path of the file."),
        c("stream", Type::Text, "`access` or `auth`."),
        c("target", Type::Text, "Table that the rows went to."),
        c("rows", Type::Int, "Rows inserted."),
        c("rejected", Type::Int, "Lines not recognised. Rows, rejected and dropped lines add up to all lines."),
        c("pk_start", Type::Int, "First id; absent if no row was inserted."),
        c("pk_end", Type::Int, "Last id; absent if no row was inserted."),
        c("date", Type::Text, "Date in the file name, YYYYMMDD."),
        c("already", Type::Int, "1 if an earlier run loaded the file and this run nothing; absent otherwise."),
        c("refused", Type::Text, "Why the file was not loaded and must not be moved; absent otherwise."),
        c(
            "layout",
            Type::Text,
            "Layout of the lines, `unknown` when none was recognised; absent when `already` is there.",
        ),
        c("addresses", Type::Text, "`shorten` if only the networks of addresses were stored; absent otherwise."),
        c("hash_after_days", Type::Int, "After how many days addresses are hashed; absent if they are not."),
        c("lines", Type::Int, "Lines read."),
        c("unfit", Type::Int, "Lines that do not fit the layout, without empty ones."),
        c("ipv6", Type::Int, "Lines left out because their client is an IPv6 address."),
        c("dropped", Type::Text, "Number of lines that each rule dropped: an object, by rule."),
        c("nul", Type::Int, "NUL bytes that were skipped before lines; absent when there are none."),
        c(
            "offset",
            Type::Int,
            "First byte of this part of a log that grew after an earlier import, in the decompressed log.",
        ),
        c("device", Type::Int, "Device of the file."),
        c("inode", Type::Int, "Inode of the file."),
        c("size", Type::Int, "Size of the stored file when it was opened, in bytes."),
        c("mtime", Type::Int, "Its modification time then, in nanoseconds since 1970."),
        c("bytes", Type::Int, "Decompressed bytes from the beginning to the end of what was read."),
        c("hash", Type::Text, "128-bit xxh3 of these bytes, 32 hexadecimal digits."),
        c("head", Type::Text, "The same for the first 4,096 bytes."),
        c("archived", Type::Text, "Where the file was moved to; absent until it is moved."),
        PATH_BYTES,
        c("archived_bytes", Type::Text, "That path percent-encoded, if it is not UTF-8; absent otherwise."),
    ],
};

const SESSION: KindSpec = KindSpec {
    kind: Kind::Session,
    name: "session",
    table: "websessions",
    made_by: "usage-metrics",
    doc: "A visit; the columns of `websessions`.",
    columns: &[
        c("id", Type::Int, "Number of the session."),
        c("datetime", Type::Stamp, "Time of its first request."),
        c("ipcountry", Type::Text, "Country of the address."),
        c("ip", Type::Text, "Client address."),
        c("host", Type::Text, "Client name."),
        c("domain", Type::Text, "Client domain."),
        c("duration", Type::Int, "Seconds from the first to the last request; may be negative."),
        c("jobs", Type::Int, "Number of its tool starts, at most 127."),
        c("webevents", Type::Int, "Always 0."),
    ],
};

const TOOLSTART: KindSpec = KindSpec {
    kind: Kind::Toolstart,
    name: "toolstart",
    table: "toolstart",
    made_by: "usage-metrics",
    doc: "A tool that was started; the columns of `toolstart`.",
    columns: &[
        c("id", Type::Int, "Row id."),
        c("sessionid", Type::Int, "Session of the tool start."),
        c("datetime", Type::Stamp, "Start."),
        c("orgtype", Type::Text, "Organisation of the user."),
        c("countryresident", Type::Text, "Country of residence."),
        c("countrycitizen", Type::Text, "Country of citizenship."),
        c("ipcountry", Type::Text, "Country of the address."),
        c("success", Type::Int, "1 if the tool started."),
        c("ip", Type::Text, "Client address."),
        c("host", Type::Text, "Client name."),
        c("domain", Type::Text, "Client domain."),
        c("filesystem", Type::Text, "Unused."),
        c("execunit", Type::Text, "Host that ran it."),
        c("error", Type::Text, "Unused."),
        c("user", Type::Text, "Login name."),
        c("tool", Type::Text, "Tool."),
        c("pid", Type::Int, "Unused."),
        c("walltime", Type::Float, "Seconds."),
        c("cputime", Type::Float, "Seconds."),
    ],
};

const TOOLSESSION: KindSpec = KindSpec {
    kind: Kind::ToolSession,
    name: "tool_session",
    table: "sessionlog_metrics",
    made_by: "tool-metrics",
    doc: "A tool session with what is known about its user; the columns of `sessionlog_metrics`.",
    columns: &[
        c("id", Type::Int, "Row id."),
        c("sessnum", Type::Int, "Number of the tool session."),
        c("user", Type::Text, "Login name."),
        c("ip", Type::Text, "Client address."),
        c("start", Type::Stamp, "Start."),
        c("host", Type::Text, "Client name."),
        c("domain", Type::Text, "Client domain."),
        c("orgtype", Type::Text, "Organisation of the user."),
        c("countryresident", Type::Text, "Country of residence."),
        c("countrycitizen", Type::Text, "Country of citizenship."),
        c("ipcountry", Type::Text, "Country of the address."),
        c("appname", Type::Text, "Tool."),
    ],
};

const HUBSESSION: KindSpec = KindSpec {
    kind: Kind::HubSession,
    name: "hub_session",
    table: "sessionlog",
    made_by: "the hub",
    doc: "A tool session as the middleware logged it; the columns of the hub table `sessionlog`.",
    columns: &[
        c("sessnum", Type::Int, "Number of the tool session."),
        c("username", Type::Text, "Login name."),
        c("remoteip", Type::Text, "Client address."),
        c("remotehost", Type::Text, "Client name."),
        c("exechost", Type::Text, "Host that ran it."),
        c("dispnum", Type::Int, "Display."),
        c("start", Type::Stamp, "Start."),
        c("appname", Type::Text, "Tool."),
        c("walltime", Type::Float, "Seconds."),
        c("viewtime", Type::Float, "Seconds."),
        c("cputime", Type::Float, "Seconds."),
        c("status", Type::Int, "Exit status."),
        c("zone_id", Type::Int, "Zone."),
    ],
};

const HUBJOB: KindSpec = KindSpec {
    kind: Kind::HubJob,
    name: "hub_job",
    table: "joblog",
    made_by: "the hub",
    doc: "A job of a tool session; the columns of the hub table `joblog`.",
    columns: &[
        c("sessnum", Type::Int, "Number of the tool session."),
        c("job", Type::Int, "Number of the job."),
        c("superjob", Type::Int, "Job that started it."),
        c("event", Type::Text, "Kind of job, `[waiting]` while queued."),
        c("venue", Type::Text, "Where it ran."),
        c("start", Type::Stamp, "Start."),
        c("end", Type::Stamp, "End."),
        c("walltime", Type::Float, "Seconds."),
        c("cputime", Type::Float, "Seconds."),
        c("ncpus", Type::Int, "Processors."),
        c("status", Type::Int, "Exit status."),
        c("zone_id", Type::Int, "Zone."),
    ],
};

const HUBUSER: KindSpec = KindSpec {
    kind: Kind::HubUser,
    name: "hub_user",
    table: "jos_users",
    made_by: "the hub",
    doc: "A registered user.",
    columns: &[c("id", Type::Int, "Number of the user."), c("username", Type::Text, "Login name.")],
};

const HUBPROFILE: KindSpec = KindSpec {
    kind: Kind::HubProfile,
    name: "hub_profile",
    table: "jos_xprofiles",
    made_by: "the hub",
    doc: "A profile; the columns of the hub table `xprofiles` that are used.",
    columns: &[
        c("uidNumber", Type::Int, "Number of the user."),
        c("username", Type::Text, "Login name."),
        c("orgtype", Type::Text, "Organisation."),
        c("countryresident", Type::Text, "Country of residence."),
        c("countryorigin", Type::Text, "Country of citizenship."),
        c("registerDate", Type::Stamp, "Registration."),
        c("emailConfirmed", Type::Int, "The profile counts if this is greater than 0 or absent."),
    ],
};

const HUBUSERPROFILE: KindSpec = KindSpec {
    kind: Kind::HubUserProfile,
    name: "hub_user_profile",
    table: "jos_user_profiles",
    made_by: "the hub",
    doc: "One value of a user profile.",
    columns: &[
        c("id", Type::Int, "Row id; decides which of several values is used."),
        c("user_id", Type::Int, "Number of the user."),
        c("profile_key", Type::Text, "countryorigin, countryresident or orgtype."),
        c("profile_value", Type::Text, "The value."),
    ],
};

const HUBRESOURCE: KindSpec = KindSpec {
    kind: Kind::HubResource,
    name: "hub_resource",
    table: "jos_resources",
    made_by: "the hub",
    doc: "A resource of the hub.",
    columns: &[
        c("id", Type::Int, "Number of the resource."),
        c("title", Type::Text, "Title."),
        c("type", Type::Int, "Type; 7 is a tool."),
        c("path", Type::Text, "Path of its file."),
        c("published", Type::Int, "1 if published."),
        c("standalone", Type::Int, "1 if not part of another resource."),
        c("alias", Type::Text, "Short name; for a tool, its name."),
        c("publish_up", Type::Stamp, "Time of publication."),
    ],
};

const HUBRESOURCEASSOC: KindSpec = KindSpec {
    kind: Kind::HubResourceAssoc,
    name: "hub_resource_assoc",
    table: "jos_resource_assoc",
    made_by: "the hub",
    doc: "A child of a resource.",
    columns: &[c("parent_id", Type::Int, "Parent."), c("child_id", Type::Int, "Child.")],
};

const HUBTOOLVERSION: KindSpec = KindSpec {
    kind: Kind::HubToolVersion,
    name: "hub_tool_version",
    table: "jos_tool_version",
    made_by: "the hub",
    doc: "A version of a tool.",
    columns: &[c("toolname", Type::Text, "Tool."), c("instance", Type::Text, "Name of the version.")],
};

const TOOLSTAT: KindSpec = KindSpec {
    kind: Kind::ToolStat,
    name: "toolstat",
    table: "jos_resource_stats_tools",
    made_by: "tool-metrics",
    doc: "Usage of one tool in one period; the columns of `resource_stats_tools`.",
    columns: &[
        c("id", Type::Int, "Row id."),
        c("resid", Type::Int, "Resource."),
        c("restype", Type::Int, "Always 7."),
        c("users", Type::Int, "Distinct users."),
        c("sessions", Type::Int, "Sessions."),
        c("simulations", Type::Int, "Simulations."),
        c("jobs", Type::Int, "Jobs."),
        c("avg_wall", Type::Float, "Seconds per simulation."),
        c("tot_wall", Type::Float, "Seconds."),
        c("avg_cpu", Type::Float, "Seconds per simulation."),
        c("tot_cpu", Type::Float, "Seconds."),
        c("avg_view", Type::Float, "Seconds per simulation."),
        c("tot_view", Type::Float, "Seconds."),
        c("avg_wait", Type::Float, "Seconds per simulation."),
        c("tot_wait", Type::Float, "Seconds."),
        c("avg_cpus", Type::Int, "Processors per simulation."),
        c("tot_cpus", Type::Int, "Processors."),
        c("datetime", Type::Stamp, "Day zero of the month."),
        c("period", Type::Int, "Window."),
    ],
};

const TOPTOOL: KindSpec = KindSpec {
    kind: Kind::TopTool,
    name: "toptool",
    table: "jos_resource_stats_tools_topvals",
    made_by: "tool-metrics",
    doc: "One place in the top list of a tool; the columns of `resource_stats_tools_topvals`.",
    columns: &[
        c("id", Type::Int, "Row id of the tool statistics."),
        c("top", Type::Int, "1 country, 2 domain, 3 organisation."),
        c("rank", Type::Int, "Place; 0 is the total."),
        c("name", Type::Text, "What is ranked."),
        c("value", Type::Int, "Distinct users."),
    ],
};

const TOPLIST: KindSpec = KindSpec {
    kind: Kind::TopList,
    name: "toplist",
    table: "jos_stats_topvals",
    made_by: "tool-metrics",
    doc: "One place in a list over all tools; the columns of `stats_topvals`.",
    columns: &[
        c("top", Type::Int, "2 users, 5 runs, 6 wall, 7 CPU, 8 interaction time."),
        c("datetime", Type::Stamp, "Day zero of the month."),
        c("period", Type::Int, "Window."),
        c("rank", Type::Int, "Place; 0 is the total."),
        c("name", Type::Text, "Resource number, ` ~ `, title."),
        c("value", Type::Int, "The value."),
    ],
};

const RESOURCESTAT: KindSpec = KindSpec {
    kind: Kind::ResourceStat,
    name: "resource_stat",
    table: "jos_resource_stats",
    made_by: "summarize, tool-metrics",
    doc: "Usage of one resource; the columns of `resource_stats`.",
    columns: &[
        c("resid", Type::Int, "Resource."),
        c("restype", Type::Int, "Type."),
        c("users", Type::Int, "Distinct users."),
        c("jobs", Type::Int, "Jobs."),
        c("avg_wall", Type::Int, "Seconds."),
        c("tot_wall", Type::Int, "Seconds."),
        c("avg_cpu", Type::Int, "Seconds."),
        c("tot_cpu", Type::Int, "Seconds."),
        c("datetime", Type::Stamp, "Day zero or first day of the month."),
        c("period", Type::Int, "Window."),
    ],
};

const ONLINE: KindSpec = KindSpec {
    kind: Kind::Online,
    name: "online",
    table: "jos_session_geo",
    made_by: "the hub",
    doc: "A live session and where it comes from; the columns of the hub table `session_geo`.",
    columns: &[
        c("session_id", Type::Text, "Session of the CMS."),
        c("username", Type::Text, "Login name; empty for visitors."),
        c("time", Type::Text, "Time of the last request when the session was first seen, in seconds since 1970."),
        c("guest", Type::Int, "1 for visitors, 0 for users."),
        c("userid", Type::Int, "Number of the user."),
        c("ip", Type::Text, "Address."),
        c("host", Type::Text, "Its name; the address itself if it has none."),
        c("domain", Type::Text, "Domain of the host, `(unknown)` if there is none."),
        c("signed", Type::Int, "Not used."),
        c("countrySHORT", Type::Text, "Country code, `-` if not known."),
        c("countryLONG", Type::Text, "Country."),
        c("ipREGION", Type::Text, "Region."),
        c("ipCITY", Type::Text, "City."),
        c("ipLATITUDE", Type::Float, "Degrees north; 0 if not known."),
        c("ipLONGITUDE", Type::Float, "Degrees east; 0 if not known."),
        c("bot", Type::Int, "1 if the domain belongs to a bot."),
    ],
};

const CELL: KindSpec = KindSpec {
    kind: Kind::Cell,
    name: "cell",
    table: "summary_*_vals",
    made_by: "summarize",
    doc: "One cell of a summary table.",
    columns: &[
        c("table", Type::Text, "summary_user_vals, summary_simusage_vals or summary_misc_vals."),
        c("rowid", Type::Int, "Row."),
        c("colid", Type::Int, "Column."),
        c("datetime", Type::Stamp, "Day zero of the month."),
        c("period", Type::Int, "Window."),
        c("value", Type::Text, "The value as the column stores it."),
        c("valfmt", Type::Int, "How the CMS pages display it."),
    ],
};

const VERDICT: KindSpec = KindSpec {
    kind: Kind::Verdict,
    name: "verdict",
    table: "",
    made_by: "import-logs --verdicts",
    doc: "What became of one line of a log.",
    columns: &[
        c("path", Type::Text, "Path of the log, or `-` for standard input."),
        c("line", Type::Int, "Line number, from 1."),
        c("offset", Type::Int, "First byte of the line in the decompressed log."),
        c("layout", Type::Text, "Name of the layout used to read the line."),
        c("client", Type::Text, "Address of the client; absent if the line has none or was rejected."),
        c("host", Type::Text, "Name of the client, if the server wrote it instead of the address."),
        c("datetime", Type::Text, "Time of the request as in the record, even if impossible."),
        c("request_id", Type::Text, "Id of the request, if the layout has one."),
        c("verdict", Type::Text, "`kept`, `dropped` or `rejected`."),
        c("rule", Type::Text, "Rule that dropped the line, as named in the summary line of the run."),
        c("reason", Type::Text, "Why the line was rejected."),
        PATH_BYTES,
    ],
};

const BOTREPORT: KindSpec = KindSpec {
    kind: Kind::BotReport,
    name: "bot_report",
    table: "",
    made_by: "import-logs --bots-report",
    doc: "What one bot requested.",
    columns: &[
        c("useragent", Type::Text, "The agent, at most 255 bytes; absent in totals for the agents beyond 100,000."),
        c("requests", Type::Int, "Its lines in the imported logs."),
        c("hits", Type::Int, "Those that only the bot rule dropped."),
        c("visitors", Type::Int, "Different clients."),
        c("bytes", Type::Int, "Bytes sent to it."),
        c("list", Type::Text, "What decided: `words`, `known bots`, or the file of a `--bots-list`."),
        c("pattern", Type::Text, "The word, or the pattern of the list; absent for known bots."),
    ],
};

const USAGE: KindSpec = KindSpec {
    kind: Kind::Usage,
    name: "usage",
    table: "",
    made_by: "hzmetrics show",
    doc: "One line of the usage table. A number that is not known is absent.",
    columns: &[
        c("month", Type::Text, "The month, `YYYY-MM`."),
        c("period", Type::Int, "Window."),
        c("cell", Type::Text, "Name of the cell, as `hzmetrics why` takes it."),
        c("label", Type::Text, "What the line shows."),
        c("unit", Type::Text, "`count` or `hours`."),
        c("value", Type::Float, "The number of the month."),
        c("share", Type::Float, "Per cent of the users whose residence or organisation is known."),
        c("month_before", Type::Float, "The number of the month before."),
        c("change", Type::Float, "Change from the month before, in per cent."),
        c("year_before", Type::Float, "The number of the same month a year before."),
        c("year_change", Type::Float, "Change from a year before, in per cent."),
    ],
};

const WHY: KindSpec = KindSpec {
    kind: Kind::Why,
    name: "why",
    table: "",
    made_by: "summarize --why, tool-metrics --why",
    doc: "A cell and the rule that it is made by; its `evidence` follows.",
    columns: &[
        c("cell", Type::Text, "Name of the cell."),
        c("table", Type::Text, "Its table, without the prefix of the CMS."),
        c("rowid", Type::Int, "Row of a summary table."),
        c("colid", Type::Int, "Column of a summary table."),
        c("datetime", Type::Stamp, "Day zero of the month."),
        c("period", Type::Int, "Window."),
        c("value", Type::Text, "The value that the rows give now; absent for a cell that is not written."),
        c("published", Type::Text, "The value in the table (`hzmetrics why`); absent where there is none."),
        c("rows", Type::Int, "How many rows it is made of."),
        c("parts", Type::Text, "What each part of the rows adds up to, in words."),
        c("rule", Type::Text, "The rule in a sentence."),
    ],
};

const EVIDENCE: KindSpec = KindSpec {
    kind: Kind::Evidence,
    name: "evidence",
    table: "",
    made_by: "summarize --why, tool-metrics --why",
    doc: "One row that a cell is made of. What the rows add is the cell; where it is a quotient, each part adds up.",
    columns: &[
        c("cell", Type::Text, "Name of the cell."),
        c("period", Type::Int, "Window."),
        c("part", Type::Text, "What the row is counted as."),
        c("adds", Type::Float, "What the row adds; 0 for further rows of the same visitor or user."),
        c("who", Type::Text, "The visitor (address and host name) or the user."),
        c("source", Type::Text, "Kind of the row: `session`, `web`, `login`, `toolstart`, `hits`, …"),
        c("id", Type::Int, "Number of the row, where it has one."),
        c("datetime", Type::Stamp, "When."),
        c("user", Type::Text, "User."),
        c("ip", Type::Text, "Address."),
        c("host", Type::Text, "Host name."),
        c("country", Type::Text, "Country of the address or of the user."),
        c("domain", Type::Text, "Domain."),
        c("orgtype", Type::Text, "Organisation of the user."),
        c("duration", Type::Int, "Seconds of a session."),
        c("jobs", Type::Int, "Tool starts of a session."),
        c("tool", Type::Text, "Tool."),
        c("content", Type::Text, "What was asked for."),
        c("action", Type::Text, "Action of the auth log."),
        c("hits", Type::Int, "Hits of a day."),
    ],
};

const SESSIONPART: KindSpec = KindSpec {
    kind: Kind::SessionPart,
    name: "session_part",
    table: "",
    made_by: "usage-metrics --part",
    doc: "Consecutive requests of one visitor, a session or a piece of one, for `usage-metrics --join`. They name it in \
          their field `session_part`: part, colon, number.",
    columns: &[
        c("part", Type::Int, "The part."),
        c("number", Type::Int, "Number within the part, from 1."),
        c("datetime", Type::Stamp, "Time of its first request."),
        c("began", Type::Int, "The same in seconds since 1970, 0 where there is no such number."),
        c("ended", Type::Int, "Time of its last request in seconds since 1970; absent where there is no such number."),
        c("first_ip", Type::Text, "Address of the first request."),
        c("first_host", Type::Text, "Host name of the first request."),
        c("ip", Type::Text, "First address that is not empty."),
        c("host", Type::Text, "First host name that is not empty."),
        c("domain", Type::Text, "First domain that is not empty."),
    ],
};

const PARTEND: KindSpec = KindSpec {
    kind: Kind::PartEnd,
    name: "part_end",
    table: "",
    made_by: "usage-metrics --part",
    doc: "The end of what one part made, by which `usage-metrics --join` sees that all is there.",
    columns: &[
        c("part", Type::Int, "The part."),
        c("parts", Type::Int, "How many parts there are."),
        c("pieces", Type::Int, "Its `session_part` records."),
        c("requests", Type::Int, "Its `web` records with a `session_part`."),
        c("records", Type::Int, "All records before this one that are not `session_part`."),
        c("months", Type::Text, "The months that were run, separated by commas."),
        c("doubtful", Type::Text, "Months that must not have records in other parts, separated by commas."),
        c("settings", Type::Text, "A hash of the options."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum() {
        for spec in Kind::ALL {
            assert_eq!(spec.kind.spec(), spec);
            assert_eq!(Kind::from_name(spec.name), Some(spec.kind));
            let mut names: Vec<_> = spec.columns.iter().map(|c| c.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), spec.columns.len(), "{}", spec.name);
        }
        assert_eq!(Kind::from_name("nonsense"), None);
    }
}

//! Generates hostile input: good lines and records with harmful changes.

use std::io::Write as _;

use fixtures::random::Random;

/// Good lines of logs in every layout.
const LINES: [&str; 9] = [
    "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA\" TLSv1.3 0 12 1002 J C A com view task act item",
    "2025-07-10 08:00:01 EDT - \"GET /resources/1/download/a.pdf HTTP/1.1\" 200 12 h.org \"http://x/\" \"Mozilla/5.0 (bot)\" TLSv1 0 12 a=1; b=2",
    "h - - [10/Jul/2025:10:05:03 +0000] \"GET /x?y=z HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"",
    "2025-07-10 08:00:01 1002 [alice] 1.2.3.4 login",
    "[2025-07-10 09:58:35] production.INFO: 1002 [bob] 128.210.189.147 login [] []",
    "v:443 192.0.2.1 - - [10/Jul/2025:10:05:03 +0000] \"POST /é HTTP/1.1\" 200 5 \"-\" \"Böt\"",
    "2025-07-10 08:00:01|1.2.3.4|POST /a?b=1|200|7|it em|12|4711%",
    "1.2.3.4-200-5-[10/Jul/2025:10:05:03 +0000]-GET /-",
    "2001:db8::1 [10/Jul/2025:10:05:03 +0000] GET /a b c 200 5",
];

/// Records of every kind that a stage reads.
const RECORDS: [&str; 17] = [
    r#"{"kind":"web","datetime":"2025-07-10 08:00:01","ip":"1.2.3.4","content":"/a","referrer":"-","useragent":"UA","uidNumber":0,"sessionid":1,"dnload":0}"#,
    r#"{"kind":"web","datetime":"2025-07-10 08:10:01","ip":"1.2.3.4","host":"a.purdue.edu","domain":"purdue.edu","ipcountry":"US","content":"/resources/1/download/x.pdf","useragent":"UA","uidNumber":5}"#,
    r#"{"kind":"session","id":1,"datetime":"2025-07-10 08:00:01","ip":"1.2.3.4","host":"h","domain":"d.edu","ipcountry":"US","duration":60,"jobs":3}"#,
    r#"{"kind":"login","datetime":"2025-07-10 08:00:01","uidNumber":5,"user":"alice","ip":"1.2.3.4","action":"login"}"#,
    r#"{"kind":"hits","datetime":"2025-07-10 00:00:00","hits":3}"#,
    r#"{"kind":"bot","useragent":"NewBot/1"}"#,
    r#"{"kind":"toolstart","id":1,"datetime":"2025-07-10 08:00:01","ip":"1.2.3.4","host":"h","domain":"d.edu","user":"alice","tool":"t","success":1,"countryresident":"US","orgtype":"university"}"#,
    r#"{"kind":"hub_session","sessnum":7,"username":"alice","remoteip":"1.2.3.4","appname":"tool_r1","start":"2025-07-10 08:00:01","walltime":12.5,"viewtime":1,"cputime":0.25}"#,
    r#"{"kind":"hub_job","sessnum":7,"job":1,"superjob":0,"event":"simulation","venue":"x","walltime":3,"cputime":2,"ncpus":2}"#,
    r#"{"kind":"hub_profile","uidNumber":5,"username":"alice","orgtype":"university","countryresident":"US","registerDate":"2025-01-01 00:00:00","emailConfirmed":1}"#,
    r#"{"kind":"hub_resource","id":3,"title":"Tool","type":7,"alias":"tool","published":1,"standalone":1,"path":"2010/07/1/a.pdf"}"#,
    r#"{"kind":"hub_tool_version","toolname":"tool","instance":"tool_r1"}"#,
    r#"{"kind":"tool_session","user":"alice","appname":"tool_r1","start":"2025-07-10 08:00:01","domain":"d.edu","countryresident":"US"}"#,
    r#"{"kind":"online","ip":"1.2.3.4","ipLATITUDE":1.5,"ipLONGITUDE":-2.5,"ipCITY":"C","ipREGION":"R","countrySHORT":"US","host":"h.edu","username":"alice","guest":0,"bot":0}"#,
    r#"{"kind":"source","path":"logs/daily/hub-access.log-20250710","stream":"access","date":"20250710","bytes":2,"compression":"none"}"#,
    r#"{"kind":"receipt","path":"logs/daily/hub-access.log-20250710","stream":"access","rows":1,"rejected":0}"#,
    r#"{"kind":"cell","table":"summary_user_vals","rowid":1,"colid":1,"datetime":"2025-07-00","period":1,"value":"5","valfmt":1}"#,
];

/// Harmful texts, alone or repeated.
const UNITS: [&[u8]; 48] = [
    b"\"",
    b"\" ",
    b" ",
    b"  ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\r",
    b"\n",
    b"\\",
    b"\\\"",
    b"\\\\",
    b"%",
    b"%%",
    b"%20",
    b"_",
    b" _",
    b"[",
    b"]",
    b"{",
    b"}",
    b"[[",
    b"{\"a\":",
    b",",
    b",\"",
    b"\"\"",
    b"-",
    b"--",
    b"1",
    b"9",
    b".",
    b"..",
    b"../",
    b"/",
    b"?",
    b"/app",
    b"\0",
    b"\xff",
    b"\xc3",
    "é".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"\" 200 1 h \"",
    b"\" t 1 2 - ",
    b"bot",
    b"*",
    b"\x1b[2J",
    b"\\u0000",
];

/// Replacements for numbers and dates.
const VALUES: [&str; 22] = [
    "-1",
    "0",
    "1e999",
    "-1e999",
    "NaN",
    "inf",
    "1e308",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999999999",
    "0.1e-400",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"2025-99-99 99:99:99\"",
    "\"0000-00-00 00:00:00\"",
    "\"9999-12-31 23:59:59\"",
    "\"\\ud800\"",
    "\"x",
    "1.5",
];

/// Generates the input of one case.
pub(super) struct Maker {
    pub(super) random: Random,
    /// How many bytes were generated.
    pub(super) made: u64,
    /// The maximum size of a file in bytes.
    size: u32,
}

impl Maker {
    /// For a campaign of this many megabytes: a longer campaign has longer files.
    pub(super) fn new(seed: u64, megabytes: u64) -> Self {
        let mut random = Random::new(seed);
        let most = if megabytes > 100 { 20 } else { 17 };
        let size = 1 << random.between(8, most);
        Self { random, made: 0, size }
    }

    fn counted(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.made += bytes.len() as u64;
        bytes
    }

    /// A log, plain or compressed, sometimes with damaged compression.
    pub(super) fn log(&mut self) -> Vec<u8> {
        let lines: Vec<&str> = match self.random.below(3) {
            0 => LINES.to_vec(),
            _ => vec![*self.random.pick(&LINES)],
        };
        let text = self.text(&lines);
        let made = self.wrapped(text);
        self.counted(made)
    }

    /// Records as NDJSON or CSV, plain or compressed.
    pub(super) fn records(&mut self) -> Vec<u8> {
        let text = if self.random.chance(250) {
            let header = *self.random.pick(&[
                "datetime,hits",
                "kind,datetime,ip,content,useragent",
                "kind,datetime,user,ip,action,uidNumber",
                "kind,\"datetime\",hits",
            ]);
            let rows =
                ["2025-07-10 00:00:00,3", "web,2025-07-10 08:00:01,1.2.3.4,/a,UA", "login,2025-07-10,\"a\"\"b\",1,x,5"];
            let mut text = header.as_bytes().to_vec();
            text.push(b'\n');
            text.extend(self.text(&rows));
            text
        } else if self.random.chance(300) {
            let record = *self.random.pick(&RECORDS);
            self.text(&[record])
        } else {
            self.text(&RECORDS)
        };
        let made = self.wrapped(text);
        self.counted(made)
    }

    /// A list with a header.
    pub(super) fn list(&mut self, header: &str) -> Vec<u8> {
        self.size = self.size.min(64 << 10);
        let mut text = header.as_bytes().to_vec();
        text.push(b'\n');
        text.extend(self.text(&["a.edu,b", "1.2.3.4,ip", "NewBot/1", "%bot_,useragent"]));
        self.counted(text)
    }

    /// A chain for the shell.
    pub(super) fn chain(&mut self) -> Vec<u8> {
        self.size = self.size.min(64 << 10);
        let text = self.text(&[
            "fetch-logs --logs \"$LOGS\" | import-logs > out && summarize --month $MONTH < in ; # words",
            "resolve-dns 'a b' >> x | usage-metrics",
        ]);
        self.counted(text)
    }

    /// A file name, whose bytes are not always valid text.
    pub(super) fn name(&mut self) -> std::ffi::OsString {
        let mut name =
            self.random.pick(&["hub-access.log-20250710", "cmsauth.log-20250710.gz", "x"]).as_bytes().to_vec();
        self.change(&mut name);
        name.retain(|b| !matches!(b, b'/' | 0));
        name.truncate(200);
        std::os::unix::ffi::OsStringExt::from_vec(name)
    }

    fn text(&mut self, lines: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        let calm = self.random.below(1000);
        while text.len() < self.size as usize {
            let mut line = self.random.pick(lines).as_bytes().to_vec();
            if !self.random.chance(calm) {
                for _ in 0..self.random.between(1, 4) {
                    self.change(&mut line);
                }
            }
            text.extend(line);
            text.push(b'\n');
        }
        if self.random.chance(100) {
            text.pop();
        }
        text
    }

    /// One change to a line.
    fn change(&mut self, line: &mut Vec<u8>) {
        let at = self.random.below(line.len() as u32 + 1) as usize;
        let end = at + self.random.below((line.len() - at).min(40) as u32 + 1) as usize;
        match self.random.below(8) {
            0 => drop(line.drain(at..end)),
            1 => {
                let again = line[at..end].repeat(self.random.between(1, 50) as usize);
                line.splice(at..at, again);
            }
            2 | 3 => {
                let unit = *self.random.pick(&UNITS);
                let most = if self.random.chance(100) { self.size / unit.len() as u32 } else { 12 };
                let more = unit.repeat(self.random.between(1, most.max(1)) as usize);
                line.splice(at..end, more);
            }
            4 => {
                if let Some(byte) = line.get_mut(at) {
                    *byte = self.random.bits() as u8;
                }
            }
            5 => self.exchange_a_value(line),
            6 => {
                let other = *self.random.pick(&RECORDS);
                line.splice(at..end, other.bytes().take(self.random.below(60) as usize));
            }
            _ => line.truncate(at),
        }
    }

    /// Replaces a value of a record, or a number.
    fn exchange_a_value(&mut self, line: &mut Vec<u8>) {
        let starts: Vec<usize> = (1..line.len()).filter(|&i| line[i - 1] == b':' || line[i - 1] == b' ').collect();
        if starts.is_empty() {
            return;
        }
        let start = *self.random.pick(&starts);
        let len = line[start..].iter().position(|b| matches!(b, b',' | b'}' | b' ')).unwrap_or(line.len() - start);
        let value = *self.random.pick(&VALUES);
        line.splice(start..start + len, value.bytes());
    }

    fn wrapped(&mut self, text: Vec<u8>) -> Vec<u8> {
        let mut made = match self.random.below(8) {
            0 => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gz.write_all(&text).unwrap();
                gz.finish().unwrap()
            }
            1 => zstd::encode_all(&*text, 1).unwrap(),
            _ => return text,
        };
        if self.random.chance(300) {
            self.change(&mut made);
        }
        made
    }
}

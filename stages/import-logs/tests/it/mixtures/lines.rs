//! Made-up requests as lines of every layout, and what carries lines from a server to a file.

use serde_json::json;

/// A request, or a login in logs of logins. No two have the same URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// Which log it is in.
    pub(super) log: usize,
    /// Its number in that log.
    pub(super) n: u32,
    /// Its day in July 2025.
    pub(super) day: u32,
}

/// How the lines of a log are written.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// Stands at the beginning of each file.
    pub(super) header: &'static str,
    /// Its lines, one after the other; in braces what differs.
    lines: &'static [&'static str],
    /// What `import-logs` is told of it.
    pub(super) asked: Option<&'static str>,
}

const fn known(name: &'static str, lines: &'static [&'static str]) -> Layout {
    Layout { name, header: "", lines, asked: None }
}

const fn said(name: &'static str, asked: &'static str, lines: &'static [&'static str]) -> Layout {
    Layout { name, header: "", lines, asked: Some(asked) }
}

const COMMON: &str = r#"{client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12"#;
const COMBINED: &str = r#"{client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12 "-" "{agent}""#;

pub(super) const HUB: usize = 0;
pub(super) const AUTH: usize = 1;

pub(super) const LAYOUTS: [Layout; 26] = [
    known(
        "hubzero",
        &[
            r#"{date} {time} EDT 4711 - "GET {url} HTTP/1.1" {status} 12 {client} "-" "{agent}" TLSv1.3 0 12 - J C A com view task act item"#,
            r#"{date} {time} EST - "GET {url} HTTP/1.1" {status} 12 {client} "-" "{agent}" TLSv1.2 0 12 cookie"#,
        ],
    ),
    known("auth", &["{date} {time} 17 [{user}] {v4} login"]),
    known("common", &[COMMON]),
    known("combined", &[COMBINED, COMMON]),
    known(
        "vhost_combined",
        &[r#"www.example.org:443 {client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12 "-" "{agent}""#],
    ),
    known("nginx-main", &[r#"{client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12 "-" "{agent}" "-""#]),
    known(
        "nginx-trace",
        &[
            r#"{client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12 "-" "{agent}" "-" 529a007902362a5f51385a5fa7049884 rt=0.1"#,
        ],
    ),
    known(
        "nginx-ingress",
        &[
            r#"{client} - - [{clf}] "GET {url} HTTP/1.1" {status} 12 "-" "{agent}" 89 0.001 [web-80] [] 10.0.0.2:80 59 0.000 200 529a007902362a5f51385a5fa7049884"#,
        ],
    ),
    known(
        "nginx-proxy-manager",
        &[
            r#"[{clf}] - {status} {status} - GET https www.example.org "{url}" [Client {client}] [Length 12] [Gzip -] [Sent-to 10.0.0.1] "{agent}" "-""#,
        ],
    ),
    known(
        "traefik",
        &[
            r#"{client} - - [{clf}] "GET {url} HTTP/2.0" {status} 12 "-" "{agent}" 1 "web@docker" "http://10.0.0.1:80" 2ms"#,
        ],
    ),
    known(
        "traefik-json",
        &[
            r#"{"ClientHost":"{client}","DownstreamContentSize":12,"DownstreamStatus":{status},"RequestMethod":"GET","RequestPath":"{url}","request_User-Agent":"{agent}","time":"{date}T{time}Z"}"#,
        ],
    ),
    known(
        "caddy",
        &[
            r#"{"level":"info","ts":{epoch}.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"{client}","proto":"HTTP/3.0","method":"GET","host":"www.example.org","uri":"{url}","headers":{"User-Agent":["{agent}"]}},"duration":0.001,"size":12,"status":{status}}"#,
        ],
    ),
    known(
        "nginx-json",
        &[
            r#"{"time":"{date}T{time}+00:00","remote_addr":"{client}","request":"GET {url} HTTP/1.1","status":"{status}","body_bytes_sent":"12","http_user_agent":"{agent}"}"#,
        ],
    ),
    known(
        "haproxy",
        &[
            r#"Jul {day} {time} lb1 haproxy[99]: {v4}:55008 [{clf-ms}] www~ app/s1 0/0/0/72/72 {status} 7456 - - ---- 5/4/0/1/0 0/0 "GET {url} HTTP/1.1""#,
        ],
    ),
    Layout {
        name: "w3c",
        header: "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem \
                 s-port c-ip cs(User-Agent) sc-status time-taken\n",
        lines: &["{date} {time} 10.0.0.1 GET {url} 443 {client} {agent+} {status} 15"],
        asked: None,
    },
    known(
        "alb",
        &[
            r#"http {date}T{time}.186641Z app/lb/50 {v4}:2817 10.0.0.1:80 0.000 0.001 0.000 {status} {status} 34 366 "GET http://www.example.com:80{url} HTTP/1.1" "{agent}" - -"#,
        ],
    ),
    known(
        "elb",
        &[
            r#"{date}T{time}.186641Z lb {v4}:2817 10.0.0.1:80 0.000 0.001 0.000 {status} {status} 34 366 "GET http://www.example.com:80{url} HTTP/1.1" "{agent}" - -"#,
        ],
    ),
    known(
        "s3",
        &[
            r#"79a59 bucket [{clf}] {client} 79a59 3E57 REST.GET.OBJECT a.html "GET {url} HTTP/1.1" {status} - 113 - 7 - "-" "{agent}" -"#,
        ],
    ),
    known("ssl_request", &[r#"[{clf}] {client} TLSv1.3 TLS_AES_256_GCM_SHA384 "GET {url} HTTP/1.1" 1375"#]),
    known(
        "uwsgi",
        &[
            r#"[pid: 7|app: 0|req: 1/1] {client} () {38 vars in 696 bytes} [{ctime}] GET {url} => generated 47 bytes in 129 msecs (HTTP/1.1 {status}) 9 headers in 378 bytes (1 switches on core 3)"#,
        ],
    ),
    known("bunny", &[r#"HIT|{status}|{epoch}321|128|77|{client}|-|https://www.example.org{url}|DE|{agent}|2897|DE"#]),
    Layout {
        name: "zeek",
        header: "#separator \\x09\n#path\thttp\n#fields\tts\tuid\tid.orig_h\tmethod\thost\turi\tuser_agent\t\
                 response_body_len\tstatus_code\n",
        lines: &["{epoch}.520301\tC1\t{client}\tGET\twww.example.org\t{url}\t{agent}\t12\t{status}"],
        asked: None,
    },
    said(
        "LogFormat",
        r#"%{%Y-%m-%d}t %{%T}t %h \"%r\" %>s %b \"%{User-Agent}i\""#,
        &[r#"{date} {time} {client} "GET {url} HTTP/1.1" {status} 12 "{agent}""#],
    ),
    said("LogFormat with braces", r#"[%t] [%a] %m %U %s %O"#, &["[[{clf}]] [{client}] GET {url} {status} 12"]),
    said(
        "log_format",
        r#"$time_iso8601|$remote_addr|$request_method|$request_uri|$status|$body_bytes_sent|$http_user_agent"#,
        &["{date}T{time}+00:00|{client}|GET|{url}|{status}|12|{agent}"],
    ),
    said(
        "json mapping",
        "json:time=at,client=from.ip,method=how,url=what,status=code,agent=by",
        &[
            r#"{"at":"{date}T{time}Z","from":{"ip":"{client}"},"how":"GET","what":"{url}","code":{status},"by":"{agent}"}"#,
        ],
    ),
];

/// What is in front of each line.
pub(super) const PREFIXES: [&str; 6] = ["", "syslog", "rfc5424", "docker", "cri", "compose"];

impl Request {
    const fn is_v6(self) -> bool {
        self.n % 5 == 3
    }

    const fn is_bot(self) -> bool {
        self.n % 7 == 4
    }

    const fn is_page(self) -> bool {
        self.n % 6 != 5
    }

    const fn is_found(self) -> bool {
        self.n % 9 != 8
    }

    fn agent(self) -> &'static str {
        if self.is_bot() { "ExampleBot/1.0 (crawler)" } else { "Mozilla/5.0 (X11; Linux x86_64)" }
    }

    fn v4(self) -> String {
        format!("192.0.{}.{}", self.log, self.n % 250)
    }

    fn client(self) -> String {
        if self.is_v6() { format!("2001:db8::{:x}:{:x}", self.log + 1, self.n + 1) } else { self.v4() }
    }

    /// A value of those in braces.
    fn value(self, name: &str) -> String {
        let Self { log, n, day } = self;
        let time = format!("08:{:02}:{:02}", n / 60 % 60, n % 60);
        match name {
            "date" => format!("2025-07-{day:02}"),
            "time" => time,
            "day" => format!("{day:2}"),
            "clf" => format!("{day:02}/Jul/2025:{time} +0000"),
            "clf-ms" => format!("{day:02}/Jul/2025:{time}.584"),
            // 10 July was a Thursday
            "ctime" => {
                let name = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(day as usize - 10) % 7];
                format!("{name} Jul {day:2} {time} 2025")
            }
            // 10 July, 08:00
            "epoch" => (1_752_134_400 + (i64::from(day) - 10) * 86_400 + i64::from(n)).to_string(),
            "v4" => self.v4(),
            "client" => self.client(),
            "url" => format!("/{log}/{n}{}", if self.is_page() { "" } else { ".css" }),
            "status" => if self.is_found() { "200" } else { "404" }.to_owned(),
            "user" => format!("user{log}x{n}"),
            "agent" => self.agent().to_owned(),
            "agent+" => self.agent().replace(' ', "+"),
            other => unreachable!("{other} is not a value"),
        }
    }
}

impl Layout {
    fn template(&self, request: Request) -> &'static str {
        self.lines[request.n as usize % self.lines.len()]
    }

    /// The line of a request, without its end.
    pub(super) fn line(&self, request: Request) -> String {
        let mut line = String::new();
        let mut rest = self.template(request);
        while let Some((before, after)) = rest.split_once('{') {
            line += before;
            let is_name =
                |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b"4+-".contains(&b));
            // JSON has braces of its own
            rest = match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    line += &request.value(name);
                    after
                }
                None => {
                    line.push('{');
                    after
                }
            };
        }
        line + rest
    }

    /// Whether a row comes from the line of a request.
    pub(super) fn is_kept(&self, request: Request) -> bool {
        if self.name == "auth" {
            return true;
        }
        // its lines have no status
        if self.name == "ssl_request" {
            return false;
        }
        let names_a_bot = request.is_bot() && self.template(request).contains("{agent");
        let is_left_out = self.name == "hubzero" && request.is_v6();
        request.is_page() && request.is_found() && !names_a_bot && !is_left_out
    }

    /// Whether its lines may have a prefix.
    pub(super) fn may_have_prefix(&self) -> bool {
        !["hubzero", "auth", "haproxy", "w3c", "zeek"].contains(&self.name)
    }
}

/// A line with what carries it.
pub(super) fn carried(prefix: &str, line: &str) -> String {
    match prefix {
        "" => line.to_owned(),
        "syslog" => format!("Jul 10 08:00:01 web1 nginx[17]: {line}"),
        "rfc5424" => format!("<165>1 2025-07-10T08:00:01.003Z web1 nginx 4711 ID47 - {line}"),
        "docker" => json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2025-07-10T08:00:01Z"}).to_string(),
        "cri" => format!("2025-07-10T08:00:03.123456789Z stdout F {line}"),
        "compose" => format!("web-1  | {line}"),
        other => unreachable!("{other} is not a prefix"),
    }
}

/// The same with its end, cut into two parts as container runtimes cut long lines.
pub(super) fn in_parts(prefix: &str, line: &str) -> [String; 2] {
    let (first, second) = line.split_at(line.len() / 3);
    let docker =
        |text: &str| json!({"log": text, "stream": "stdout", "time": "2025-07-10T08:00:01Z"}).to_string() + "\n";
    let cri = |mark, text| format!("2025-07-10T08:00:03.123456789Z stdout {mark} {text}\n");
    match prefix {
        "docker" => [docker(first), docker(&format!("{second}\n"))],
        "cri" => [cri("P", first), cri("F", second)],
        other => unreachable!("{other} does not cut lines"),
    }
}

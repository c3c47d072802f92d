//! Lines that are JSON objects; a mapping of paths says which of their values is which field.
//!
//! The text is walked once, and only values in the mapping are examined. Strings are unescaped only
//! if they contain escapes.

mod keys;
mod slot;
mod walk;

use super::entry::ClientFrom;
use super::{Fault, Fields, Text, What, time};
use keys::Keys;
pub(super) use slot::Slot;
use slot::{N_SLOTS, Want};
use walk::{Scalar, Walk};
pub(super) use walk::{has_string, string_of, unescape};

/// Maximum nesting depth of objects; anything deeper is skipped.
const DEEPEST: usize = 12;

/// The field names in a mapping, and their slots.
const SLOTS: [(&str, Slot); 23] = [
    ("time", Slot::Time),
    ("date", Slot::Date),
    ("clock", Slot::Clock),
    ("client", Slot::Client),
    ("ip", Slot::Client),
    ("forwarded", Slot::Forwarded),
    ("request", Slot::Request),
    ("method", Slot::Method),
    ("url", Slot::Url),
    ("uri", Slot::Url),
    ("path", Slot::Url),
    ("query", Slot::Query),
    ("status", Slot::Status),
    ("bytes", Slot::Bytes),
    ("size", Slot::Bytes),
    ("referrer", Slot::Referrer),
    ("referer", Slot::Referrer),
    ("agent", Slot::Agent),
    ("useragent", Slot::Agent),
    ("host", Slot::Vhost),
    ("id", Slot::RequestId),
    ("uid", Slot::User),
    ("logger", Slot::Logger),
];

/// Which paths of an object are which fields.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    keys: Keys,
}

/// The maximum number of paths in a mapping.
const MOST: usize = 160;

/// The maximum number of points in a path.
const MOST_POINTS: usize = 32;

/// Caddy's own log. Other loggers than that of accesses write of the same requests, too.
pub(crate) const CADDY: &str = "time=ts,client=request.client_ip|request.remote_ip|request.remote_addr,\
    method=request.method,url=request.uri,status=status,bytes=size,agent=request.headers.User-Agent,\
    referrer=request.headers.Referer,host=request.host,id=uuid|request.headers.X-Request-Id,logger=logger";

/// Traefik's log in JSON.
pub(crate) const TRAEFIK: &str = "time=StartUTC|StartLocal|time,client=ClientHost|ClientAddr,method=RequestMethod,\
    url=RequestPath,status=DownstreamStatus|OriginStatus,bytes=DownstreamContentSize|OriginContentSize,\
    agent=request_User-Agent,referrer=request_Referer,host=RequestHost|RequestAddr,id=request_X-Request-Id";

/// What Envoy, Istio and Contour write as JSON.
pub(crate) const ENVOY: &str = "time=start_time|@timestamp,client=downstream_remote_address,method=method,\
    url=x-envoy-origin-path|x-envoy-original-path|path,status=response_code,bytes=bytes_sent,\
    agent=user-agent|user_agent,referrer=referer|referrer,host=:authority|authority,id=x-request-id|request_id";

/// The field names that people use when a server writes JSON, nginx's variables first.
pub(crate) const USUAL: &str = "time=time_iso8601|time_local|time|timestamp|@timestamp|ts|msec|date|datetime|\
    start_time|EdgeStartTimestamp|started_at|reqTimeSec,\
    client=remote_addr|client_ip|clientip|remote_ip|client|ip|remoteAddr|remoteIp|c_ip|remote_host|source.address|\
    source.ip|client.address|client.ip|ClientIP|httpRequest.remoteIp|properties.clientIp|\
    cliIP|remote,\
    request=request|http_request|request_line,\
    method=request_method|method|verb|http.request.method|http_method|ClientRequestMethod|httpRequest.requestMethod|\
    request.method|properties.httpMethod|reqMethod,\
    url=request_uri|uri|url|path|url.original|url.path|request_path|ClientRequestURI|httpRequest.requestUrl|\
    request.uri|properties.requestUri|reqPath,\
    query=args|query_string|query|url.query|queryStr,\
    status=status|status_code|response_code|http.response.status_code|http_status|code|response|EdgeResponseStatus|\
    httpRequest.status|response_status|response.status|properties.httpStatusCode|properties.httpStatus|\
    statusCode,\
    bytes=body_bytes_sent|bytes_sent|bytes|size|length|body_size|response_size|http.response.body.bytes|\
    EdgeResponseBytes|httpRequest.responseSize|response_body_size|response.size|properties.responseBytes|\
    properties.sentBytes,\
    referrer=http_referer|http_referrer|referer|referrer|request_referer|http.request.referrer|ClientRequestReferer|\
    httpRequest.referer|request.headers.referer|properties.referer,\
    agent=http_user_agent|user_agent|agent|useragent|userAgent|ua|user_agent.original|ClientRequestUserAgent|\
    httpRequest.userAgent|request_user_agent|request.headers.user-agent|properties.userAgent,\
    host=host|http_host|server_name|vhost|domain|virtual_host|ClientRequestHost|\
    request.headers.host|properties.hostName|properties.host|reqHost,\
    id=request_id|req_id|requestId|x_request_id|trace_id|RayID";

impl Mapping {
    /// A mapping `field=path|path,field=path`, or one of the known ones.
    ///
    /// # Errors
    /// A field is unknown, or the mapping lacks the time, the client, the request or the status.
    pub(crate) fn new(text: &str, from: &ClientFrom) -> Result<Self, String> {
        let mut wants = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, paths) = part.split_once('=').ok_or_else(|| format!("`{part}` is not field=path"))?;
            let slot = SLOTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
                let known: Vec<_> = SLOTS.iter().map(|(known, _)| *known).collect();
                format!("`{name}` is not a field; known: {}", known.join(", "))
            })?;
            for (rank, path) in (0_u8..).zip(paths.split('|').map(str::trim).filter(|path| !path.is_empty())) {
                wants.push(Want { path: path.as_bytes().to_vec(), slot: slot.1, rank });
            }
        }
        Self::of_wants(wants, from)
    }

    /// The mapping for lines whose values follow a template: `slot` gives the use and rank of a
    /// value.
    pub(super) fn of_template(
        template: &str,
        slot: impl Fn(&str) -> Option<(Slot, u8)>,
        from: &ClientFrom,
    ) -> Result<Self, String> {
        let mut values = Vec::new();
        let whole = template_values(&mut Walk::new(template.as_bytes()), &mut Vec::new(), DEEPEST, &mut values);
        whole.ok_or("the log format is not a JSON object")?;
        let mut wants = Vec::new();
        for (path, value) in values {
            let value = String::from_utf8_lossy(&value).into_owned();
            if let Some((slot, rank)) = slot(&value) {
                wants.push(Want { path, slot, rank });
            }
        }
        Self::of_wants(wants, from)
    }

    fn of_wants(mut wants: Vec<Want>, from: &ClientFrom) -> Result<Self, String> {
        let has = |slot: Slot| wants.iter().any(|want| want.slot == slot);
        let missing = [
            (has(Slot::Time) || (has(Slot::Date) && has(Slot::Clock)), "time"),
            (has(Slot::Client) || (has(Slot::Forwarded) && from.header.is_some()), "client"),
            (has(Slot::Request) || has(Slot::Url), "request or url"),
            (has(Slot::Status), "status"),
        ];
        if let Some((_, name)) = missing.iter().find(|(there, _)| !there) {
            return Err(format!("the mapping lacks {name}"));
        }
        if let Some(header) = from.header.as_deref().filter(|_| !has(Slot::Forwarded)) {
            let snake = header.to_ascii_lowercase().replace('-', "_");
            let names = [
                header.to_owned(),
                format!("http_{snake}"),
                format!("request.headers.{header}"),
                format!("request_{header}"),
                format!("headers.{header}"),
                snake,
            ];
            let named =
                (0_u8..).zip(names).map(|(rank, name)| Want { path: name.into_bytes(), slot: Slot::Forwarded, rank });
            wants.extend(named);
        }
        if wants.len() > MOST {
            return Err(format!("the mapping has {} paths; at most {MOST} are allowed", wants.len()));
        }
        let n_points = |want: &Want| want.path.iter().filter(|byte| **byte == b'.').count();
        if let Some(long) = wants.iter().find(|want| n_points(want) > MOST_POINTS) {
            let path = String::from_utf8_lossy(&long.path);
            return Err(format!("the path `{path}` has {} points; at most {MOST_POINTS} are allowed", n_points(long)));
        }
        Ok(Self { keys: Keys::new(&wants) })
    }

    /// Fills the fields of a line.
    pub(crate) fn parse<'a>(&self, line: &'a [u8], made: &mut Vec<u8>, fields: &mut Fields<'a>) -> Result<(), Fault> {
        let mut found: Found<'a> = [None; N_SLOTS];
        let mut walk = Walk::new(line);
        if walk.peek() != Some(b'{') {
            return Err(Fault::bare(What::NotJson));
        }
        let whole = walk.object(|walk, key| self.value(walk, key, Keys::TOP, DEEPEST, &mut found));
        if whole.is_none() {
            return Err(Fault::bare(What::CutJson));
        }
        if walk.peek().is_some() {
            return Err(Fault::of(What::More, &line[walk.at..]));
        }
        fill(&found, made, fields)
    }

    /// One value, at a key of an object.
    fn value<'a>(
        &self,
        walk: &mut Walk<'a>,
        key: &[u8],
        object: usize,
        deepest: usize,
        found: &mut Found<'a>,
    ) -> Option<()> {
        let Some(key) = self.keys.find(object, key) else { return walk.skip() };
        if let Some(below) = key.below
            && deepest > 0
            && walk.peek()? == b'{'
        {
            return walk.object(|walk, key| self.value(walk, key, below, deepest - 1, found));
        }
        if key.fields.is_empty() {
            return walk.skip();
        }
        let Some(scalar) = walk.scalar()? else { return Some(()) };
        for (slot, rank) in &key.fields {
            let place = &mut found[*slot as usize];
            // a better path with an empty value does not count
            let is_better = place.is_none_or(|(best, old)| *rank < best || old.is_nothing());
            if is_better && !(scalar.is_nothing() && place.is_some()) {
                *place = Some((*rank, scalar));
            }
        }
        Some(())
    }
}

/// Fills the fields with the values that were found.
fn fill<'a>(found: &Found<'a>, made: &mut Vec<u8>, fields: &mut Fields<'a>) -> Result<(), Fault> {
    let get = |slot: Slot| found[slot as usize].map_or(Scalar::default(), |(_, scalar)| scalar);
    let is_there = |slot: &&Slot| !get(**slot).text.is_empty();
    if [Slot::Client, Slot::Forwarded, Slot::Request, Slot::Url, Slot::Status].iter().filter(is_there).count() < 2 {
        return Err(Fault::bare(What::NotARequest));
    }
    if !is_there(&&Slot::Client) && !is_there(&&Slot::Forwarded) {
        return Err(Fault::bare(What::Lacks("client")));
    }
    let logger = get(Slot::Logger).text;
    if logger.starts_with(b"http.") && !logger.starts_with(b"http.log.access") {
        return Err(Fault::bare(What::NotARequest));
    }
    let status = get(Slot::Status).text;
    if status.is_empty() {
        return Err(Fault::bare(What::Lacks("status")));
    }
    let is_number = |text: &[u8]| text == b"-" || text.iter().all(u8::is_ascii_digit);
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    let bytes = get(Slot::Bytes).text;
    if !is_number(bytes) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    let mut text = |slot: Slot| get(slot).plain(made);
    fields.client = text(Slot::Client);
    fields.forwarded = text(Slot::Forwarded);
    fields.method = text(Slot::Method);
    fields.url = text(Slot::Url);
    if !fields.method.is_empty() && is_path(get(Slot::Request).text) {
        // Logstash calls the URL so
        if fields.url.is_empty() {
            fields.url = text(Slot::Request);
        }
    } else {
        fields.request = text(Slot::Request);
    }
    fields.status = Text::Line(status);
    fields.bytes = Text::Line(bytes);
    fields.referrer = get(Slot::Referrer).without_quotes().plain(made);
    fields.agent = get(Slot::Agent).without_quotes().plain(made);
    let mut text = |slot: Slot| get(slot).plain(made);
    fields.vhost = text(Slot::Vhost);
    fields.request_id = text(Slot::RequestId);
    fields.uid = text(Slot::User);
    let (date, clock, query) = (text(Slot::Date), text(Slot::Clock), text(Slot::Query));
    let moment = text(Slot::Time);
    if fields.request.is_empty() {
        if fields.url.is_empty() {
            return Err(Fault::bare(What::Lacks("request")));
        }
        fields.url = fields.url.with_query(query, made);
    }
    fields.moment = Some(match (moment.is_empty(), date.is_empty() || clock.is_empty()) {
        (false, _) => time::any(moment.of(made))?,
        (true, false) => time::date_and_clock(date.of(made), clock.of(made), None)?,
        (true, true) => return Err(Fault::bare(What::Lacks("time"))),
    });
    Ok(())
}

/// Whether a request is a URL alone.
fn is_path(request: &[u8]) -> bool {
    matches!(request, [b'/', ..] | [b'\\', b'/', ..]) && !request.contains(&b' ')
}

/// Paths and values of the scalars of a template.
fn template_values(
    walk: &mut Walk<'_>,
    path: &mut Vec<u8>,
    deepest: usize,
    values: &mut Vec<(Vec<u8>, Vec<u8>)>,
) -> Option<()> {
    walk.object(|walk, key| {
        let len = path.len();
        if len > 0 {
            path.push(b'.');
        }
        path.extend_from_slice(key);
        if walk.peek()? == b'{' && deepest > 0 {
            template_values(walk, path, deepest - 1, values)?;
        } else if let Some(scalar) = walk.scalar()? {
            let mut value = Vec::new();
            unescape(scalar.text, &mut value);
            values.push((path.clone(), value));
        }
        path.truncate(len);
        Some(())
    })
}

/// The best value of each slot so far, and its rank.
type Found<'a> = [Option<(u8, Scalar<'a>)>; N_SLOTS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::tests;

    fn parse(mapping: &str, line: &str) -> Result<Vec<String>, What> {
        const NAMES: &str = "date time client method url status bytes referrer agent vhost";
        let mapping = Mapping::new(mapping, &ClientFrom::default()).unwrap();
        let (mut made, mut fields) = (Vec::new(), Fields::default());
        let fields = mapping.parse(line.as_bytes(), &mut made, &mut fields).map(|()| fields);
        tests::texts(fields, &mut made, &ClientFrom::default(), NAMES)
    }

    #[test]
    fn lines_of_servers_that_write_json() {
        let caddy = r#"{"level":"info","ts":1752134401.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.1","client_ip":"192.0.2.9","proto":"HTTP/3.0","method":"GET","host":"www.example.org","uri":"/a","headers":{"Te":["a","b"],"User-Agent":["Mo\"z"],"Referer":["https://x/"]}},"duration":0.001,"size":12,"status":200,"resp_headers":{"Server":["Caddy"],"x":[{"status":1}]}}"#;
        let day = ["2025-07-10", "08:00:01"];
        let rest = ["192.0.2.9", "GET", "/a", "200", "12", "https://x/", "Mo\"z", "www.example.org"];
        assert_eq!(parse(CADDY, caddy).unwrap(), [&day[..], &rest].concat());
        let traefik = r#"{"ClientAddr": "172.20.0.1:52458","ClientHost": "192.0.2.4","request_User-Agent":"P/2","request_Referer":"-","DownstreamContentSize":15,"DownstreamStatus":"200","OriginStatus":504,"RequestHost":"h","RequestMethod":"GET","RequestPath":"/a?b=1","ServiceURL":{"Scheme":"http","User":null,"Path":""},"StartUTC":"2025-07-10T08:00:01.773360139Z","time":"2023-08-11T11:41:25"}"#;
        let rest = ["192.0.2.4", "GET", "/a?b=1", "200", "15", "-", "P/2", "h"];
        assert_eq!(parse(TRAEFIK, traefik).unwrap(), [&day[..], &rest].concat());
        let nginx = r#"{"time":"2025-07-10T08:00:01+00:00","remote_addr":"192.0.2.1","request":"GET \/a HTTP\/1.1","status":"200","body_bytes_sent":"12","http_referer":"","http_user_agent":"M\u00f6z \x22"}"#;
        let rest = ["192.0.2.1", "GET", "/a", "200", "12", "-", "Möz \\x22", ""];
        assert_eq!(parse(USUAL, nginx).unwrap(), [&day[..], &rest].concat());
        let fastly = r#"{"timestamp":"2025-07-10T08:00:01+0000","client_ip":"192.0.2.1","geo_city":"x","host":"www.example.org","url":"/a","request_method":"GET","request_referer":"","request_user_agent":"U/1","response_state":"MISS","response_status":200,"response_reason":"OK","response_body_size":12}"#;
        let azure = r#"{"category":"FrontDoorAccessLog","time":"2025-07-10T08:00:01.6479719Z","properties":{"clientIp":"192.0.2.1","clientPort":"5","httpMethod":"GET","httpStatusCode":"200","requestUri":"https://www.example.org:443/a","responseBytes":"12","userAgent":"U/1"}}"#;
        let kong = r#"{"started_at":1752134401123,"client_ip":"192.0.2.1","request":{"method":"GET","uri":"/a","url":"http://h:8/a","headers":{"host":"www.example.org","user-agent":"U/1"}},"response":{"status":200,"size":12,"headers":{}},"latencies":{"request":3}}"#;
        let akamai = r#"{"version":2,"reqTimeSec":"1752134401","bytes":"12","cliIP":"192.0.2.1","statusCode":"200","reqHost":"www.example.org","reqMethod":"GET","reqPath":"/a","queryStr":"-","UA":"U/1"}"#;
        let fluentd = r#"{"remote":"192.0.2.1","user":"-","host":"www.example.org","time":"10/Jul/2025:08:00:01 +0000","method":"GET","path":"/a","code":"200","size":"12","referer":"-","agent":"U/1"}"#;
        let logstash = r#"{"@timestamp":"2025-07-11T08:00:01Z","clientip":"192.0.2.1","host":"www.example.org","timestamp":"10/Jul/2025:08:00:01 +0000","verb":"GET","request":"/a","httpversion":"1.1","response":"200","bytes":"12","referrer":"\"-\"","agent":"\"U/1\""}"#;
        for line in [fastly, azure, kong, akamai, fluentd, logstash] {
            let rest = ["192.0.2.1", "GET", "/a", "200", "12", "-", "U/1", "www.example.org"];
            assert_eq!(parse(USUAL, line).unwrap(), [&day[..], &rest].concat(), "{line}");
        }
        let own = r#"{"w":{"d":"2025-07-10","t":"08:00:01"},"a.b":"::1","u":"/x","q":"y=1","s":404}"#;
        let mapping = "date=w.d,clock=w.t,client=a.b,url=u,query=q,status=s";
        let rest = ["::1", "GET", "/x?y=1", "404", "-", "-", "-", ""];
        assert_eq!(parse(mapping, own).unwrap(), [&day[..], &rest].concat());
    }

    #[test]
    fn lines_that_are_not_requests_have_a_reason() {
        for (line, what) in [
            ("", What::NotJson),
            ("x", What::NotJson),
            ("{", What::CutJson),
            ("{\"", What::CutJson),
            (r#"{"time""#, What::CutJson),
            (r#"{"time":"x"#, What::CutJson),
            (r#"{"time":"x","y":{"z":[1,2"#, What::CutJson),
            (r#"{"a":1 "b":2}"#, What::CutJson),
            (r#"{"level":"info","time":1,"msg":"started"}"#, What::NotARequest),
            (r#"{"time":1752134401,"status":200,"request":"GET / HTTP/1.1"}"#, What::Lacks("client")),
            (r#"{"remote_addr":"::1","status":200,"request":"GET / HTTP/1.1"}"#, What::Lacks("time")),
            (r#"{"remote_addr":"::1","time":1752134401,"request":"GET / HTTP/1.1"}"#, What::Lacks("status")),
            (r#"{"remote_addr":"::1","time":1752134401,"status":200}"#, What::Lacks("request")),
            (r#"{"remote_addr":"::1","time":"x","status":200,"uri":"/"}"#, What::NotATime),
            (r#"{"remote_addr":"::1","time":1,"status":"ok","uri":"/"}"#, What::Status),
            (r#"{"remote_addr":"::1","time":1752134401,"status":200,"uri":"/"} {"#, What::More),
        ] {
            assert_eq!(parse(USUAL, line).map(|_| ()), Err(what), "{line}");
        }
    }

    #[test]
    fn lines_of_other_loggers_of_caddy_are_messages() {
        let line = |logger: &str| {
            format!(
                r#"{{"level":"info","ts":1752134401.5,{logger}"request":{{"remote_ip":"192.0.2.1","method":"GET","uri":"/a"}},"size":12,"status":200}}"#
            )
        };
        for logger in ["", r#""logger":"http.log.access","#, r#""logger":"http.log.access.log0","#, r#""logger":"x","#]
        {
            assert!(parse(CADDY, &line(logger)).is_ok(), "{logger}");
        }
        for logger in ["http.log.error", "http.log.error.log0", "http.handlers.reverse_proxy"] {
            let line = line(&format!(r#""logger":"{logger}","#));
            assert_eq!(parse(CADDY, &line).map(|_| ()), Err(What::NotARequest), "{logger}");
        }
    }

    #[test]
    fn the_client_is_taken_from_a_header() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        let mapping = Mapping::new(CADDY, &from).unwrap();
        let line = br#"{"ts":1752134401,"request":{"remote_ip":"10.0.0.1","method":"GET","uri":"/a","headers":{"X-Forwarded-For":["192.0.2.7, 10.0.0.2"]}},"size":1,"status":200}"#;
        let mut made = Vec::new();
        let mut fields = Fields::default();
        mapping.parse(line, &mut made, &mut fields).unwrap();
        assert_eq!(fields.entry(&mut made, &from).unwrap().client, b"192.0.2.7");
    }

    #[test]
    fn a_mapping_that_cannot_work_is_an_error() {
        let error = |text: &str| Mapping::new(text, &ClientFrom::default()).map(|_| ()).unwrap_err();
        assert!(error("time").contains("field=path"));
        assert!(error("tome=a").contains("known: time"));
        assert_eq!(error("time=a,client=b,url=c"), "the mapping lacks status");
        assert_eq!(error("time=a,status=b,url=c"), "the mapping lacks client");
        assert!(error(&format!("time=a,status=b,client=d,url={}", "a|".repeat(200))).contains("203 paths"));
        let deep = "a.".repeat(40);
        assert!(error(&format!("time={deep},status=b,client=d,url=c")).contains("has 40 points"));
    }
}

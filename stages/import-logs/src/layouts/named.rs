//! Layouts by name, by format text and by mapping; and reading a line with one.
//!
//! Names ignore case; dashes, underscores and blanks are alike.

use std::sync::Arc;

use super::clf::{Host, Tail};
use super::entry::ClientFrom;
use super::json::{self, Mapping};
use super::nginx_format::Format;
use super::pattern::{Pattern, Place};
use super::prefix::{self, Prefix, Prefixes, Rest};
use super::w3c::{self, Columns};
use super::wide::Wide;
use super::writing::Writing;
use super::{Entry, Fault, Fields, What, aws, clf, haproxy, logformat, nginx_format, programs, proxies};

/// The layout of the lines of a file.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    name: &'static str,
    kind: Kind,
    pub(crate) prefixes: Prefixes,
    /// What stands before lines that may have been cut into parts.
    pub(crate) joins: Option<Prefix>,
    from: ClientFrom,
    /// The last day that is believed.
    latest: [u8; 10],
}

#[derive(Debug, Clone)]
enum Kind {
    /// The two layouts of hubs, which have their own parser.
    Hub,
    Clf(Host),
    /// Formats; a line fits if it fits one of them.
    Patterns(Vec<Pattern>),
    Json(Mapping),
    W3c,
    Fixed(Fixed),
}

/// What lines say of those behind them.
#[derive(Debug, Default, Clone)]
struct Directives {
    columns: Option<Arc<Columns>>,
    /// The day of lines that have a time alone.
    day: Option<[u8; 10]>,
}

/// What is carried from line to line of a file, and memory that lines reuse.
#[derive(Debug, Default)]
pub(crate) struct State {
    directives: Directives,
    made: Vec<u8>,
    rest: Vec<u8>,
    places: Vec<Place>,
    /// The NUL bytes at the beginnings of lines that were read.
    pub(crate) nuls: Nuls,
}

/// Runs of NUL bytes that were skipped, as a crash leaves them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nuls {
    pub(crate) n_runs: u64,
    pub(crate) n_bytes: u64,
}

impl Nuls {
    /// Counts a run of so many bytes, if there are any.
    pub(crate) const fn add(&mut self, n_bytes: u64) {
        if n_bytes > 0 {
            self.n_runs += 1;
            self.n_bytes += n_bytes;
        }
    }
}

/// The header in which proxies name the client.
const FORWARDED: &[u8] = b"X-Forwarded-For";

/// nginx proxy manager: the formats for proxied hosts and for others.
const PROXY_MANAGER: [&str; 2] = [
    "[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host \"$request_uri\" \
     [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] \"$http_user_agent\" \
     \"$http_referer\"",
    "[$time_local] $status - $request_method $scheme $host \"$request_uri\" [Client $remote_addr] \
     [Length $body_bytes_sent] [Gzip $gzip_ratio] \"$http_user_agent\" \"$http_referer\"",
];

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Hub,
    Clf(Host, Tail),
    ProxyManager,
    Json(&'static str),
    /// JSON of proxies that name the client in a header.
    ForwardedJson(&'static str),
    W3c,
    Fixed(Fixed),
}

const fn clf_of(tail: Tail) -> Named {
    Named::Clf(Host::Anywhere, tail)
}

/// The names of the layouts, with their aliases.
const NAMES: [(&str, &[&str], Named); 30] = [
    ("hubzero", &["hub"], Named::Hub),
    (
        "combined",
        &["nginx", "ncsa", "ncsa-extended", "apache", "apache-combined", "extended", "gandi", "ovh"],
        clf_of(Tail::Nothing),
    ),
    ("common", &["clf", "ncsa-common", "apache-common"], clf_of(Tail::Nothing)),
    (
        "vhost_combined",
        &["vcombined", "combined-vhost", "common-complete", "other-vhosts-access"],
        Named::Clf(Host::First, Tail::Nothing),
    ),
    ("vhost_common", &["vcommon", "common-vhost"], Named::Clf(Host::First, Tail::Nothing)),
    ("nginx-main", &["main"], clf_of(Tail::Forwarded)),
    ("nginx-trace", &["trace"], clf_of(Tail::Trace)),
    ("nginx-ingress", &["ingress", "ingress-nginx", "upstreaminfo"], clf_of(Tail::Ingress)),
    ("nginx-proxy-manager", &["npm"], Named::ProxyManager),
    ("traefik", &["traefik-common", "traefikclf"], clf_of(Tail::Traefik)),
    ("traefik-json", &[], Named::Json(json::TRAEFIK)),
    ("caddy", &["caddy-json"], Named::Json(json::CADDY)),
    ("nginx-json", &["json"], Named::Json(json::USUAL)),
    ("haproxy", &["haproxy-http", "httplog"], Named::Fixed(Fixed::Haproxy)),
    ("alb", &["aws-alb", "awsalb"], Named::Fixed(Fixed::Alb)),
    ("elb", &["aws-elb", "awselb", "amazon-elb"], Named::Fixed(Fixed::Elb)),
    ("s3", &["aws-s3", "awss3", "amazon-s3"], Named::Fixed(Fixed::S3)),
    ("cloudfront", &["aws-cloudfront", "amazon-cloudfront", "amazon-cloudfront-web"], Named::W3c),
    ("w3c", &["w3c-extended", "extended-w3c", "elf"], Named::W3c),
    ("iis", &["iis-w3c"], Named::W3c),
    ("netscaler", &[], Named::W3c),
    ("incapsula", &["incapsula-w3c", "imperva"], Named::W3c),
    ("zeek", &["bro", "zeek-http"], Named::W3c),
    ("ssl_request", &["ssl-request-log"], Named::Fixed(Fixed::SslRequest)),
    ("uwsgi", &[], Named::Fixed(Fixed::Uwsgi)),
    ("bunny", &["bunnycdn", "bunny.net"], Named::Fixed(Fixed::Bunny)),
    ("envoy", &["istio"], Named::Fixed(Fixed::Envoy)),
    ("envoy-json", &["istio-json", "contour-json"], Named::ForwardedJson(json::ENVOY)),
    ("squid", &["squid-native"], Named::Fixed(Fixed::Squid)),
    ("gcs", &["google-cloud-storage", "cloudstorage", "gcs-csv"], Named::Fixed(Fixed::Storage)),
];

/// The layouts that are recognised, better ones first.
const RECOGNISED: [&str; 17] = [
    "combined",
    "caddy",
    "traefik-json",
    "nginx-json",
    "w3c",
    "haproxy",
    "nginx-proxy-manager",
    "alb",
    "elb",
    "s3",
    "ssl_request",
    "uwsgi",
    "bunny",
    "envoy",
    "envoy-json",
    "squid",
    "gcs",
];

/// The same, or the usual header if none is named.
fn or_forwarded(from: &ClientFrom) -> ClientFrom {
    let mut from = from.clone();
    from.header.get_or_insert_with(|| String::from_utf8_lossy(FORWARDED).into_owned());
    from
}

/// Whether the names are the same but for case, underscores and blanks.
fn is_same(known: &str, name: &str) -> bool {
    let normal = |byte: u8| if matches!(byte, b'_' | b' ') { b'-' } else { byte.to_ascii_lowercase() };
    known.bytes().map(normal).eq(name.bytes().map(normal))
}

/// The names of all layouts, without their aliases.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ["auto"].into_iter().chain(NAMES.iter().map(|(name, ..)| *name))
}

fn lookup(name: &str) -> Option<(&'static str, Named)> {
    let is = |known: &str| is_same(known, name.trim());
    NAMES
        .iter()
        .find(|(known, others, _)| is(known) || others.iter().any(|o| is(o)))
        .map(|(known, _, named)| (*known, *named))
}

impl Layout {
    /// The layout for a name, a LogFormat with `%`, a log_format with `$` or a mapping `json:…`.
    ///
    /// # Errors
    /// The name is unknown, the format cannot work, or it lacks the header with the client.
    pub(crate) fn new(text: &str, from: &ClientFrom) -> Result<Self, String> {
        let with = |name, kind| {
            let (prefixes, nobody) = (Prefixes::default(), ClientFrom::default());
            Self { name, kind, prefixes, joins: None, from: nobody, latest: *b"9999-12-31" }.taking(from)
        };
        if let Some((name, named)) = lookup(text) {
            return Ok(with(name, Kind::of(name, named, from)?));
        }
        if let Some(mapping) = text.strip_prefix("json:").or_else(|| text.strip_prefix("JSON:")) {
            return Ok(with("json", Kind::Json(Mapping::new(mapping, from)?)));
        }
        if text.contains('%') {
            return Ok(with("format", Kind::Patterns(vec![logformat::compile(text, from)?])));
        }
        if text.contains('$') {
            let conf = nginx_format::Conf::new(text);
            let text = conf.formats.first().map_or(text, |(_, format)| format);
            return Ok(with("format", Kind::of_nginx(text, from)?));
        }
        let known: Vec<_> = names().skip(1).collect();
        Err(format!(
            "`{text}` is not a log format; known: auto, {}, json:MAPPING, a LogFormat with `%` or a log_format with `$`",
            known.join(", ")
        ))
    }

    /// The same with the client taken from here. Envoy names the other end of the connection in a header
    /// alone.
    fn taking(mut self, from: &ClientFrom) -> Self {
        let is_of_envoy = matches!(self.name, "envoy" | "envoy-json");
        self.from = if is_of_envoy { or_forwarded(from) } else { from.clone() };
        self
    }

    /// The layouts to try on lines, better ones first.
    pub(super) fn recognised(from: &ClientFrom) -> Vec<Self> {
        // the header is checked once the layout is known
        let plain = |name: &&str| {
            let mut layout = Self::new(name, &ClientFrom::default()).ok()?;
            if let Ok(with_header) = Self::new(name, from) {
                layout = with_header;
            }
            Some(layout.taking(from))
        };
        RECOGNISED.iter().filter_map(plain).collect()
    }

    /// The layout of hubs.
    pub(super) fn hub() -> Self {
        let (kind, from) = (Kind::Hub, ClientFrom::default());
        Self { name: "hubzero", kind, prefixes: Prefixes::None, joins: None, from, latest: *b"9999-12-31" }
    }

    /// The name; `format` or `json` if a text was given.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Another name of the same family, found by recognition.
    pub(super) fn renamed(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Whether this is the layout of hubs, whose lines have a parser of their own.
    pub(crate) const fn is_hub(&self) -> bool {
        matches!(self.kind, Kind::Hub)
    }

    /// Whether `#Fields:` lines decide.
    pub(crate) const fn is_w3c(&self) -> bool {
        matches!(self.kind, Kind::W3c)
    }

    /// Whether this belongs to the family of common and combined logs.
    pub(crate) const fn is_clf(&self) -> bool {
        matches!(self.kind, Kind::Clf(_))
    }

    /// How its lines write an agent.
    pub(crate) const fn writing(&self) -> Writing {
        match self.kind {
            Kind::Hub => Writing::SixQuotes,
            Kind::Clf(_) => Writing::Quoted,
            Kind::Json(_) => Writing::Json,
            Kind::W3c => Writing::Word,
            Kind::Patterns(_) => Writing::Other,
            Kind::Fixed(fixed) => fixed.writing(),
        }
    }

    /// Rejects lines of later days than this, `YYYY-MM-DD`.
    pub(crate) fn until(&mut self, latest: [u8; 10]) {
        self.latest = latest;
    }

    /// The request in a line, with or without its line end.
    ///
    /// # Errors
    /// It gives none: [`Layout::why`] has the words.
    #[inline]
    pub(crate) fn parse<'a>(&self, line: &'a [u8], state: &'a mut State) -> Result<Entry<'a>, Fault> {
        let State { directives, made, rest, places, nuls } = state;
        made.clear();
        let (_, text) = self.unwrapped(line, rest, directives, nuls, (made, places))?;
        self.entry(text, directives, made, places)
    }

    /// Why a line gives no request, in words; `None` if it gives one.
    pub(crate) fn why(&self, line: &[u8], state: &mut State) -> Option<String> {
        let State { directives, made, rest, places, nuls } = state;
        made.clear();
        match self.unwrapped(line, rest, directives, nuls, (made, places)) {
            Err(fault) => Some(fault.within(line).say(line)),
            Ok((_, text)) => match self.entry(text, directives, made, places) {
                Ok(_) => None,
                Err(fault) if fault.what == What::TooLate => {
                    made.clear();
                    let mut fields = Fields::default();
                    self.fields(text, directives, made, places, &mut fields).ok()?;
                    let moment = fields.moment?;
                    Some(format!("time `{}` is in the future", String::from_utf8_lossy(&moment.date)))
                }
                Err(fault) => Some(fault.within(text).say(text)),
            },
        }
    }

    /// The prefix of a line.
    pub(crate) fn prefix(&self, line: &[u8], state: &mut State) -> Option<Prefix> {
        let State { directives, made, rest, places, nuls } = state;
        self.unwrapped(line, rest, directives, nuls, (made, places)).ok()?.0
    }

    /// Whether a line is JSON with the header in which the client is named.
    pub(super) fn has_header(&self, line: &[u8], state: &mut State) -> bool {
        let Kind::Json(mapping) = &self.kind else { return false };
        let has = |text: &[u8]| {
            let mut fields = Fields::default();
            mapping.parse(text, &mut Vec::new(), &mut fields).is_ok() && !fields.forwarded.is_empty()
        };
        self.unwrapped_text(line, state, |text| Some(has(text))).unwrap_or(false)
    }

    /// Whether lines are objects, which may lack fields that others have.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Json(_))
    }

    /// Parses a line without its end, prefix and so on.
    pub(super) fn unwrapped_text<T>(
        &self,
        line: &[u8],
        state: &mut State,
        look: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let State { directives, made, rest, places, nuls } = state;
        look(self.unwrapped(line, rest, directives, nuls, (made, places)).ok()?.1)
    }

    /// The line without its end, byte order mark, NUL bytes and prefix. Directives change the
    /// state.
    fn unwrapped<'a>(
        &self,
        line: &'a [u8],
        rest: &'a mut Vec<u8>,
        directives: &mut Directives,
        nuls: &mut Nuls,
        (made, places): (&mut Vec<u8>, &mut Vec<Place>),
    ) -> Result<(Option<Prefix>, &'a [u8]), Fault> {
        let line = bare(line, nuls)?;
        if line.first() == Some(&b'#') {
            if self.is_w3c() {
                match w3c::names(line) {
                    Some(names) => directives.columns = Some(Arc::new(Columns::new(names, &self.from))),
                    None => directives.day = w3c::day(line).or(directives.day),
                }
            }
            return Err(Fault::bare(What::Comment));
        }
        let (mut prefix, rest_of) = prefix::take_off(line, self.prefixes, rest)?;
        let text = match rest_of {
            Rest::Line(text) => text,
            Rest::Timed(text, timed) => {
                let mut fits = |text| {
                    let mut fields = Fields::default();
                    self.fields(text, directives, made, places, &mut fields).is_ok()
                };
                let is_its_own = !fits(text) && (prefix == Some(Prefix::Time) || fits(timed));
                made.clear();
                if is_its_own && prefix == Some(Prefix::Time) {
                    prefix = None;
                }
                if is_its_own { timed } else { text }
            }
            Rest::Made => rest,
        };
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(Fault::bare(What::Blank));
        }
        Ok((prefix, text))
    }

    #[inline]
    fn entry<'a>(
        &self,
        text: &'a [u8],
        directives: &Directives,
        made: &'a mut Vec<u8>,
        places: &mut Vec<Place>,
    ) -> Result<Entry<'a>, Fault> {
        let mut fields = Fields::default();
        self.fields(text, directives, made, places, &mut fields)?;
        let entry = fields.entry(made, &self.from)?;
        if entry.date > self.latest {
            return Err(Fault::bare(What::TooLate));
        }
        Ok(entry)
    }

    /// Fills the fields of a line, which are too large to be returned.
    fn fields<'a>(
        &self,
        text: &'a [u8],
        directives: &Directives,
        made: &mut Vec<u8>,
        places: &mut Vec<Place>,
        fields: &mut Fields<'a>,
    ) -> Result<(), Fault> {
        *fields = match &self.kind {
            Kind::Clf(host) => return clf::parse(text, *host, fields).map(|_| ()),
            Kind::Json(mapping) => return mapping.parse(text, made, fields),
            Kind::Hub => return Err(Fault::bare(What::Misfit)),
            Kind::Patterns(patterns) => {
                let mut first_fault = None;
                let mut fit = |pattern: &Pattern| match pattern.parse(text, places, made) {
                    Ok(fields) => Some(fields),
                    Err(fault) => {
                        first_fault.get_or_insert(fault);
                        None
                    }
                };
                let found = patterns.iter().find_map(&mut fit);
                found.ok_or_else(|| first_fault.unwrap_or(Fault::bare(What::Misfit)))?
            }
            Kind::W3c => {
                let columns = directives.columns.as_deref().ok_or(Fault::bare(What::NoColumns));
                let named = columns.and_then(|columns| columns.parse(text, directives.day, made));
                named.or_else(|fault| w3c::usual(text, made, &self.from).ok_or(fault))?
            }
            Kind::Fixed(fixed) => fixed.parse(text, made)?,
        };
        Ok(())
    }
}

/// Layouts whose fields are always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fixed {
    Haproxy,
    Alb,
    Elb,
    S3,
    SslRequest,
    Uwsgi,
    Bunny,
    Envoy,
    Squid,
    Storage,
}

impl Fixed {
    fn parse<'a>(self, text: &'a [u8], made: &mut Vec<u8>) -> Result<Fields<'a>, Fault> {
        match self {
            Self::Haproxy => haproxy::parse(text),
            Self::Alb => aws::load_balancer(text, false),
            Self::Elb => aws::load_balancer(text, true),
            Self::S3 => aws::bucket(text),
            Self::SslRequest => programs::ssl_request(text),
            Self::Uwsgi => programs::uwsgi(text),
            Self::Bunny => programs::bunny(text),
            Self::Envoy => proxies::envoy(text),
            Self::Squid => proxies::squid(text),
            Self::Storage => proxies::storage(text, made),
        }
    }

    const fn writing(self) -> Writing {
        match self {
            Self::Alb | Self::Elb | Self::S3 | Self::Envoy => Writing::Quoted,
            _ => Writing::Other,
        }
    }
}

impl Kind {
    fn of(name: &str, named: Named, from: &ClientFrom) -> Result<Self, String> {
        let has_header = match named {
            Named::Clf(_, tail) => matches!(tail, Tail::Forwarded | Tail::Trace) && from.is(FORWARDED),
            Named::Json(_) | Named::ForwardedJson(_) | Named::W3c => true,
            Named::Fixed(Fixed::Envoy) => from.is(FORWARDED),
            _ => false,
        };
        if let Some(header) = from.header.as_deref().filter(|_| !has_header) {
            return Err(format!("the layout `{name}` has no header {header}; give the log format as text"));
        }
        Ok(match named {
            Named::Hub => Self::Hub,
            Named::Clf(host, _) => Self::Clf(host),
            Named::ProxyManager => {
                let mut patterns = Vec::new();
                for format in PROXY_MANAGER {
                    if let Format::Text(pattern) = nginx_format::compile(format, from)? {
                        patterns.push(pattern);
                    }
                }
                Self::Patterns(patterns)
            }
            Named::Json(mapping) => Self::Json(Mapping::new(mapping, from)?),
            Named::ForwardedJson(mapping) => Self::Json(Mapping::new(mapping, &or_forwarded(from))?),
            Named::W3c => Self::W3c,
            Named::Fixed(fixed) => Self::Fixed(fixed),
        })
    }

    fn of_nginx(text: &str, from: &ClientFrom) -> Result<Self, String> {
        Ok(match nginx_format::compile(text, from)? {
            Format::Text(pattern) => Self::Patterns(vec![pattern]),
            Format::Json(mapping) => Self::Json(mapping),
        })
    }
}

impl State {
    /// The state after a block of lines, without parsing them: for blocks that are read in
    /// parallel.
    pub(crate) fn after(&self, block: &[u8], layout: &Layout) -> Self {
        let mut directives = self.directives.clone();
        if layout.is_w3c() {
            if let Some(names) = w3c::last_names(block) {
                directives.columns = Some(Arc::new(Columns::new(names, &layout.from)));
            }
            directives.day = w3c::last_day(block).or(directives.day);
        }
        Self { directives, ..Self::default() }
    }
}

/// A line without its end, and without what crashes and editors leave at its start.
fn bare<'a>(line: &'a [u8], nuls: &mut Nuls) -> Result<&'a [u8], Fault> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(wide) = Wide::of(line) {
        return Err(Fault::bare(What::Wide(wide)));
    }
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let n_nuls = line.iter().take_while(|&&b| b == 0).count();
    nuls.add(n_nuls as u64);
    let line = &line[n_nuls..];
    if line.is_empty() { Err(Fault::bare(What::Blank)) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str) -> Layout {
        Layout::new(text, &ClientFrom::default()).unwrap()
    }

    /// The client of each line, or why there is none.
    fn clients(layout: &Layout, lines: &[&str]) -> Vec<String> {
        let mut state = State::default();
        let mut all = Vec::new();
        for line in lines {
            let found = layout.parse(line.as_bytes(), &mut state).map(|e| [e.client, e.host].concat());
            all.push(match found {
                Ok(client) => String::from_utf8(client).unwrap(),
                Err(_) => layout.why(line.as_bytes(), &mut state).unwrap(),
            });
        }
        all
    }

    #[test]
    fn the_client_behind_envoy_is_in_a_header() {
        let line = |header: &str| {
            format!(
                r#"{{"authority":"h","downstream_remote_address":"[2001:db8::1]:5","method":"GET","path":"/a","response_code":200,"start_time":"2025-07-10T08:00:01Z",{header}"bytes_sent":1}}"#
            )
        };
        let lines = [line(""), line(r#""x_forwarded_for":null,"#), line(r#""x-forwarded-for":"192.0.2.1, 10.0.0.1","#)];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(clients(&layout("envoy-json"), &lines), ["2001:db8::1", "2001:db8::1", "192.0.2.1"]);
        let from = ClientFrom { header: Some("X-Real-IP".to_owned()), ..ClientFrom::default() };
        let layout = Layout::new("istio-json", &from).unwrap();
        let line = line(r#""x_forwarded_for":"192.0.2.1","x_real_ip":"192.0.2.9","#);
        assert_eq!(clients(&layout, &[&line]), ["192.0.2.9"]);
    }

    #[test]
    fn every_name_and_alias_gives_its_layout() {
        for (text, name) in [
            ("combined", "combined"),
            ("COMBINED", "combined"),
            ("vcombined", "vhost_combined"),
            ("vhost_combined", "vhost_combined"),
            ("VHOST-COMBINED", "vhost_combined"),
            ("ncsa", "combined"),
            ("nginx", "combined"),
            ("awselb", "elb"),
            ("CLOUDFRONT", "cloudfront"),
            ("npm", "nginx-proxy-manager"),
            ("hubzero", "hubzero"),
            ("json", "nginx-json"),
            ("%h %t \"%r\" %>s %b", "format"),
            ("$remote_addr [$time_local] \"$request\" $status", "format"),
            ("log_format main '$remote_addr [$time_local] ' '\"$request\" $status';", "format"),
            ("json:time=ts,client=c,url=u,status=s", "json"),
        ] {
            assert_eq!(layout(text).name(), name, "{text}");
        }
        for (i, (name, others, _)) in NAMES.iter().enumerate() {
            for alias in others.iter().chain([name]) {
                assert_eq!(lookup(alias).unwrap().0, *name, "{alias}");
                let again = NAMES[i + 1..].iter().any(|(other, others, _)| other == alias || others.contains(alias));
                assert!(!again, "{alias} twice");
            }
        }
        let unknown = Layout::new("combind", &ClientFrom::default()).map(|_| ()).unwrap_err();
        assert!(unknown.contains("vhost_combined"), "{unknown}");
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        assert!(Layout::new("nginx-main", &from).is_ok() && Layout::new("caddy", &from).is_ok());
        assert!(Layout::new("combined", &from).map(|_| ()).unwrap_err().contains("no header X-Forwarded-For"));
        assert_eq!(Layout::recognised(&from).len(), RECOGNISED.len());
    }

    #[test]
    fn remains_of_crashes_and_editors_are_skipped() {
        let line = r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12"#;
        let found = clients(
            &layout("combined"),
            &[
                line,
                &format!("{line}\r\n"),
                &format!("\u{FEFF}{line}\n"),
                &format!("\0\0\u{0}{line}"),
                &format!("web-1  | {line}"),
                "\0\0\0\n",
                "\r\n",
                "# a comment",
                "1\u{0}9\u{0}2\u{0}.\u{0}",
            ],
        );
        let comment = "a comment of the server";
        let utf16 = "the text is UTF-16, not UTF-8";
        assert_eq!(found[..5], ["192.0.2.1"; 5]);
        assert_eq!(found[5..], ["empty line", "empty line", comment, utf16]);
    }

    #[test]
    fn a_file_may_have_several_lines_of_field_names() {
        let lines = [
            "2025-07-10 08:00:01 GET /a 192.0.2.1 200",
            "#Software: Microsoft Internet Information Services 10.0",
            "#Fields: date time cs-method cs-uri-stem c-ip sc-status",
            "2025-07-10 08:00:01 GET /a 192.0.2.1 200",
            "#Fields: date time c-ip cs-method cs-uri-stem sc-status",
            "2025-07-10 08:00:01 192.0.2.2 GET /a 200",
        ];
        let iis = layout("IIS");
        let found = clients(&iis, &lines);
        assert_eq!([&*found[0], &found[3], &found[5]], ["no `#Fields:` line before it", "192.0.2.1", "192.0.2.2"]);
        // two halves that are read in parallel
        let mut state = State::default().after(lines[..5].join("\n").as_bytes(), &iis);
        assert_eq!(iis.parse(lines[5].as_bytes(), &mut state).unwrap().client, b"192.0.2.2");
        let mut state = state.after(b"x\n", &iis);
        assert!(iis.parse(lines[5].as_bytes(), &mut state).is_ok());
    }

    #[test]
    fn both_formats_of_nginx_proxy_manager_are_read() {
        let found = clients(
            &layout("npm"),
            &[
                r#"[10/Jul/2025:08:00:01 +0000] - 200 200 - GET https www.example.org "/a" [Client 192.0.2.1] [Length 123] [Gzip -] [Sent-to 10.0.0.1] "Mozilla/5.0" "-""#,
                r#"[10/Jul/2025:08:00:01 +0000] 404 - GET https www.example.org "/a" [Client 192.0.2.2] [Length 123] [Gzip 2.1] "Mozilla/5.0" "-""#,
            ],
        );
        assert_eq!(found, ["192.0.2.1", "192.0.2.2"]);
    }

    #[test]
    fn times_in_the_future_are_rejected() {
        let mut combined = layout("combined");
        combined.until(*b"2025-07-11");
        let line = |day: &str| format!(r#"192.0.2.1 - - [{day}/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12"#);
        let found = clients(&combined, &[&line("11"), &line("12")]);
        assert_eq!(found, ["192.0.2.1", "time `2025-07-12` is in the future"]);
    }
}

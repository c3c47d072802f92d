//! Usage of resources: which requests are for which resource, and how many visitors made them.
//!
//! A request is for a resource if it is for the path of its file or anything below it. All paths of
//! all resources form one matcher (a map of whole URLs and a prefix tree), so each request is
//! examined once, whatever the number of resources, months and periods.

use anyhow::Result;
use hashbrown::HashMap;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use schema::collation::{Like, equal, hash, weight};
use schema::{Month, Period, Stamp};

use crate::axis::{Axis, Moment, Visibility};
use crate::count::{Counts, Distinct};
use crate::scan::{Numbers, ip_key};
use crate::spill::{Parts, bytes};

/// The periods of usage, in the order of writing.
pub(crate) const PERIODS: [Period; 3] = [Period::TwelveMonths, Period::AllTime, Period::Month];

/// URLs that belong to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Urls {
    /// Equal to this one.
    Equal(String),
    /// Of this form; `%` and `_` in the path are wildcards.
    Like(String),
}

/// The URLs under which a file is requested. The tests of their form are byte-exact.
fn urls(path: &str) -> Vec<Urls> {
    if equal(path, "") || Like::new("http%").matches(path) {
        return Vec::new();
    }
    let path = path.replace(' ', "%20");
    let in_store = || Urls::Equal(format!("/site/resources/{path}"));
    if path.starts_with(|c: char| c.is_ascii_digit()) && path.len() > 1 {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(folder) = path.strip_suffix("viewer.swf").filter(|_| name == "viewer.swf") {
            return vec![Urls::Like(format!("/site/resources/{folder}%"))];
        }
        let number = folder.rsplit('/').next().unwrap_or("").trim_start_matches('0');
        return vec![in_store(), Urls::Equal(format!("/resources/{number}/download/{name}"))];
    }
    let goes_on = |begin: &str| path.strip_prefix(begin).is_some_and(|rest| !rest.is_empty());
    if ["/resources/", "/local/", "/site/"].iter().any(|begin| goes_on(begin)) {
        return vec![Urls::Equal(path)];
    }
    if goes_on("/topics/") {
        return vec![Urls::Like(path + "%")];
    }
    if let Some((folder, _)) = path.rsplit_once('/').filter(|_| is_course(&path)) {
        return vec![Urls::Like(format!("{folder}/%"))];
    }
    vec![in_store()]
}

/// Whether a path is `lm/`, something, `/`, something, `.`, something.
fn is_course(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("lm/") else { return false };
    let slash = rest.bytes().skip(1).position(|b| b == b'/').map(|at| at + 1);
    let Some(behind) = slash.map(|at| &rest.as_bytes()[at + 1..]) else { return false };
    behind.len() > 2 && behind[1..behind.len() - 1].contains(&b'.')
}

/// A node of the prefix tree.
#[derive(Debug, Default)]
struct Node {
    next: Vec<(u16, u32)>,
    /// Groups of URLs with this prefix, and a pattern for the rest if needed.
    here: Vec<(u32, Option<Like>)>,
}

/// Finds the groups of URLs that a URL belongs to.
#[derive(Debug)]
pub(crate) struct Matcher {
    whole: HashMap<u128, u32, FxBuildHasher>,
    nodes: Vec<Node>,
    n_groups: u32,
    heads: Vec<&'static str>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { whole: HashMap::default(), nodes: vec![Node::default()], n_groups: 0, heads: Vec::new() }
    }
}

/// Every possible beginning of a URL built from a path.
pub(crate) const HEADS: [&str; 5] = ["/site/", "/resources/", "/topics/", "/local/", "lm/"];

impl Matcher {
    fn group(&mut self, urls: &Urls) -> u32 {
        let n = self.n_groups;
        let group = match urls {
            Urls::Equal(url) => {
                self.add_head(url);
                *self.whole.entry(hash(url)).or_insert(n)
            }
            Urls::Like(pattern) => {
                let begin: String = pattern.chars().take_while(|c| !matches!(c, '%' | '_' | '\\')).collect();
                self.add_head(&begin);
                // a prefix followed by anything needs no further test
                let rest = (pattern[begin.len()..] != *"%").then(|| Like::new(pattern));
                let mut at = 0;
                for w in begin.chars().map(weight) {
                    at = self.child(at, w);
                }
                self.nodes[at as usize].here.push((n, rest));
                n
            }
        };
        self.n_groups += u32::from(group == n);
        group
    }

    fn child(&mut self, at: u32, w: u16) -> u32 {
        let next = &self.nodes[at as usize].next;
        if let Some(found) = next.iter().find(|(have, _)| *have == w) {
            return found.1;
        }
        let new = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes[at as usize].next.push((w, new));
        self.nodes.push(Node::default());
        new
    }

    fn add_head(&mut self, url: &str) {
        let head = HEADS.into_iter().find(|head| url.starts_with(head));
        self.heads.extend(head.filter(|head| !self.heads.contains(head)));
    }

    /// Prefixes such that every URL that can be found has one of them.
    pub(crate) fn heads(&self) -> &[&'static str] {
        &self.heads
    }

    /// Passes the groups of a URL to `found`; a group may occur twice.
    pub(crate) fn find(&self, url: &str, mut found: impl FnMut(u32)) {
        if let Some(&group) = self.whole.get(&hash(url)) {
            found(group);
        }
        let mut at = 0;
        let mut chars = url.chars();
        loop {
            let node = &self.nodes[at as usize];
            for (group, rest) in &node.here {
                if rest.as_ref().is_none_or(|like| like.matches(url)) {
                    found(*group);
                }
            }
            let Some(w) = chars.next().map(weight) else { return };
            let Some(next) = node.next.iter().find(|(have, _)| *have == w) else { return };
            at = next.1;
        }
    }
}

/// A resource of the hub, as far as needed here.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub id: i64,
    pub kind: i64,
    pub path: String,
}

/// The resources whose usage is computed, and the groups of URLs of each.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub matcher: Matcher,
    /// Id, type and groups, in the order of writing.
    resources: Vec<(i64, i64, Vec<u32>)>,
}

impl Catalogue {
    /// For the resources `asked` for, in the order of writing, from all resources and the (parent,
    /// child) pairs.
    pub(crate) fn new(asked: &[i64], resources: &[Resource], children: &[(i64, i64)]) -> Self {
        let mut below: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
        for &(parent, child) in children {
            below.entry(parent).or_default().push(child);
        }
        let all: FxHashMap<i64, &Resource> = resources.iter().map(|resource| (resource.id, resource)).collect();
        let mut matcher = Matcher::default();
        let mut known: FxHashMap<i64, Vec<u32>> = FxHashMap::default();
        let mut list = Vec::new();
        for resource in asked.iter().filter_map(|id| all.get(id)) {
            let mut seen: FxHashSet<i64> = FxHashSet::default();
            let mut left = vec![resource.id];
            let mut groups = Vec::new();
            while let Some(id) = left.pop() {
                if !seen.insert(id) {
                    continue;
                }
                left.extend(below.get(&id).into_iter().flatten());
                let own = known.entry(id).or_insert_with(|| {
                    let urls = all.get(&id).map_or_else(Vec::new, |resource| urls(&resource.path));
                    urls.iter().map(|urls| matcher.group(urls)).collect()
                });
                groups.extend_from_slice(own);
            }
            groups.sort_unstable();
            groups.dedup();
            if !groups.is_empty() {
                list.push((resource.id, resource.kind, groups));
            }
        }
        Self { matcher, resources: list }
    }

    /// The groups of URLs of a resource, if its usage is computed.
    pub(crate) fn groups_of(&self, resid: i64) -> Option<&[u32]> {
        self.resources.iter().find(|(id, ..)| *id == resid).map(|(.., groups)| groups.as_slice())
    }
}

/// A request in a group of URLs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    pub group: u32,
    pub visitor: u128,
    seen: Visibility,
}

impl Visit {
    pub(crate) const fn new(group: u32, visitor: u128, seen: Visibility) -> Self {
        Self { group, visitor, seen }
    }
}

/// A request, as far as needed here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub datetime: Stamp,
    pub content: &'a str,
    pub ip: &'a str,
    pub host: &'a str,
}

/// The key of a visitor: an address and a host name.
pub(crate) fn visitor_key(ip: &str, host: &str) -> u128 {
    u128::from(ip_key(ip)) << 64 | hash(host) >> 64
}

/// Passes the information in a request to `emit`. Here, the start of a period belongs to it.
pub(crate) fn digest(matcher: &Matcher, axis: &Axis, request: &Request<'_>, mut emit: impl FnMut(Visit)) {
    let mut visitor = None;
    matcher.find(request.content, |group| {
        let Some(moment) = axis.moment(request.datetime) else { return };
        let seen = axis.seen_at(Moment { at_bound: false, ..moment });
        if seen.row < axis.n_rows() {
            let key = || visitor_key(request.ip, request.host);
            emit(Visit { group, visitor: *visitor.get_or_insert_with(key), seen });
        }
    });
}

/// How many visitors a resource had in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    pub resid: i64,
    pub restype: i64,
    pub month: Month,
    pub period: Period,
    pub users: i64,
}

/// Collects the information in requests: 12 bytes for each visitor of each path and time range.
#[derive(Debug)]
pub(crate) struct Usage {
    visitors: Numbers,
    visits: Distinct<(u32, u32, Visibility)>,
    /// Visits that did not fit into memory.
    spill: Option<Parts<24>>,
}

impl Usage {
    /// Empty.
    pub(crate) fn new() -> Self {
        Self { visitors: Numbers::default(), visits: Distinct::new(), spill: None }
    }

    /// Adds the information in a request.
    pub(crate) fn absorb(&mut self, visit: Visit) {
        self.visits.push((visit.group, self.visitors.of(visit.visitor), visit.seen));
    }

    /// Moves everything to temporary files if it uses more than `limit` bytes.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn relieve(&mut self, limit: usize) -> Result<()> {
        if self.visitors.held() + self.visits.held() <= limit {
            return Ok(());
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Parts::new()?),
        };
        for (group, visitor, seen) in std::mem::replace(&mut self.visits, Distinct::new()).into_sorted() {
            let visitor = self.visitors.keys()[visitor as usize];
            let mut record = [0; 24];
            record[..16].copy_from_slice(&visitor.to_le_bytes());
            record[16..20].copy_from_slice(&group.to_le_bytes());
            record[20..22].copy_from_slice(&seen.row.to_le_bytes());
            record[22..].copy_from_slice(&seen.level.to_le_bytes());
            spill.push((visitor >> 64) as u64 ^ visitor as u64, &record)?;
        }
        self.visitors = Numbers::default();
        Ok(())
    }

    /// The usage of every resource in every month: month by month, resources in order.
    ///
    /// # Errors
    /// The temporary files cannot be read.
    pub(crate) fn finish(mut self, catalogue: &Catalogue, axis: &Axis) -> Result<Vec<Use>> {
        if self.spill.is_some() {
            // including the rest: all visits of a visitor are in one part
            self.relieve(0)?;
        }
        let mut counted = count(&self.visits.into_sorted(), catalogue, axis);
        for part in self.spill.map_or_else(|| Ok(Vec::new()), Parts::into_parts)? {
            let mut usage = Self::new();
            part.each(|record| {
                let seen = Visibility {
                    row: u16::from_le_bytes(bytes(record, 20)),
                    level: u16::from_le_bytes(bytes(record, 22)),
                };
                let visitor = u128::from_le_bytes(bytes(record, 0));
                usage.absorb(Visit { group: u32::from_le_bytes(bytes(record, 16)), visitor, seen });
                Ok(())
            })?;
            let here = count(&usage.visits.into_sorted(), catalogue, axis);
            let sums = counted.iter_mut().flatten().zip(here.into_iter().flatten());
            sums.for_each(|(sum, n)| *sum += n);
        }
        let mut list = Vec::new();
        for (row, &month) in axis.months().iter().enumerate() {
            for ((resid, restype, _), counts) in catalogue.resources.iter().zip(&counted) {
                for (period, users) in PERIODS.into_iter().zip(&counts[row * PERIODS.len()..]) {
                    list.push(Use { resid: *resid, restype: *restype, month, period, users: *users });
                }
            }
        }
        Ok(list)
    }
}

/// The visitors of each resource, month after month, period after period.
fn count(visits: &[(u32, u32, Visibility)], catalogue: &Catalogue, axis: &Axis) -> Vec<Vec<i64>> {
    let of_resource = |(.., groups): &(i64, i64, Vec<u32>)| {
        let mut mine: Vec<(u32, Visibility)> = Vec::new();
        for group in groups {
            let from = visits.partition_point(|v| v.0 < *group);
            mine.extend(visits[from..].iter().take_while(|v| v.0 == *group).map(|v| (v.1, v.2)));
        }
        mine.sort_unstable();
        mine.dedup();
        let mut counts = Counts::<i32>::new(axis, 1);
        let mut seen = Vec::new();
        for visitor in mine.chunk_by(|a, b| a.0 == b.0) {
            seen.clear();
            seen.extend(visitor.iter().map(|v| v.1));
            counts.key(0, &seen, &[], 1);
        }
        let counts = counts.settle();
        let rows = 0..axis.months().len();
        rows.flat_map(|row| PERIODS.map(|p| i64::from(counts.get(0, row, axis.window(row, p).start)))).collect()
    };
    catalogue.resources.par_iter().map(of_resource).collect()
}

impl Use {
    /// The record as a JSON line without its end.
    pub(crate) fn line(&self) -> String {
        let Self { resid, restype, month, period, users } = self;
        format!(
            "{{\"kind\":\"resource_stat\",\"resid\":{resid},\"restype\":{restype},\"users\":{users},\"datetime\":\"{}\",\
             \"period\":{}}}",
            month.start(),
            period.code()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn equals(list: &[&str]) -> Vec<Urls> {
        list.iter().map(|url| Urls::Equal((*url).to_owned())).collect()
    }

    fn like(pattern: &str) -> Vec<Urls> {
        vec![Urls::Like(pattern.to_owned())]
    }

    #[test]
    fn paths_give_the_urls_of_their_files() {
        for (path, expected) in [
            ("", vec![]),
            ("  ", vec![]),
            ("HTTP://x/1.pdf", vec![]),
            (
                "2010/07/09423/a b.pdf",
                equals(&["/site/resources/2010/07/09423/a%20b.pdf", "/resources/9423/download/a%20b.pdf"]),
            ),
            ("123abc.pdf", equals(&["/site/resources/123abc.pdf", "/resources//download/123abc.pdf"])),
            ("2008/09/05478/viewer.swf", like("/site/resources/2008/09/05478/%")),
            ("2008/viewer.swf/viewer.swf", like("/site/resources/2008/viewer.swf/%")),
            ("2008/xviewer.swf", equals(&["/site/resources/2008/xviewer.swf", "/resources/2008/download/xviewer.swf"])),
            ("5", equals(&["/site/resources/5"])),
            ("/resources/7/x", equals(&["/resources/7/x"])),
            ("/resources/", equals(&["/site/resources//resources/"])),
            ("/site/x", equals(&["/site/x"])),
            ("/local/x", equals(&["/local/x"])),
            ("/Local/x", equals(&["/site/resources//Local/x"])),
            ("/topics/my intro", like("/topics/my%20intro%")),
            ("lm/course/chapter.html", like("lm/course/%")),
            ("lm/a/b/c.d/e", like("lm/a/b/c.d/%")),
            ("lm/course", equals(&["/site/resources/lm/course"])),
            ("lm/course/.x", equals(&["/site/resources/lm/course/.x"])),
            ("lm/course/x.", equals(&["/site/resources/lm/course/x."])),
            ("lm//x.y", equals(&["/site/resources/lm//x.y"])),
            ("lm///x.y", like("lm///%")),
            ("x/y.pdf", equals(&["/site/resources/x/y.pdf"])),
        ] {
            assert_eq!(urls(path), expected, "{path}");
        }
    }

    fn found(paths: &[&str], url: &str) -> Vec<i64> {
        let resources: Vec<_> =
            paths.iter().zip(1..).map(|(path, id)| Resource { id, kind: 1, path: (*path).to_owned() }).collect();
        let asked: Vec<_> = resources.iter().map(|resource| resource.id).collect();
        let catalogue = Catalogue::new(&asked, &resources, &[]);
        let mut groups = Vec::new();
        catalogue.matcher.find(url, |group| groups.push(group));
        let heads = catalogue.matcher.heads();
        let begins = heads.iter().any(|head| Like::new(&format!("{head}%")).matches(url));
        assert!(groups.is_empty() || begins, "{url} is filtered away by {heads:?}");
        let mine = catalogue.resources.iter().filter(|(.., own)| own.iter().any(|g| groups.contains(g)));
        mine.map(|(id, ..)| *id).collect()
    }

    #[test]
    fn urls_are_compared_as_on_the_server() {
        let paths = ["1/2/a.pdf", "/topics/my intro", "lm/c/x.html", "3/viewer.swf", "/topics/my_", "1/2/A.PDF"];
        for (url, expected) in [
            ("/site/resources/1/2/a.pdf", vec![1, 6]),
            ("/SITE/resources/1/2/\u{e1}.pdf  ", vec![1, 6]),
            ("/site/resources/1/2/a.pdfx", vec![]),
            ("/resources/2/download/a.pdf", vec![1, 6]),
            ("/topics/my-old-20introX", vec![2, 5]),
            ("/topics/my", vec![]),
            ("/topics/myX", vec![5]),
            ("lm/c/", vec![3]),
            ("LM/c/any/thing", vec![3]),
            ("/site/resources/lm/c/x.html", vec![]),
            ("/site/resources/3/other", vec![4]),
            ("", vec![]),
            ("/", vec![]),
        ] {
            assert_eq!(found(&paths, url), expected, "{url}");
        }
        assert_eq!(found(&["lm/%/x.y", "lm/a/b.c"], "lm/a/z"), [1, 2]);
        assert_eq!(found(&["0", "1a"], "/site/resources/0"), [1]);
    }

    #[test]
    fn children_count_for_their_parents() {
        let resource = |id, path: &str| Resource { id, kind: 5, path: path.to_owned() };
        let resources =
            [resource(1, ""), resource(2, "x/a"), resource(3, "x/b"), resource(4, ""), resource(5, "http://elsewhere")];
        // 1 > 2 > 3 > 1 is a circle; 9 is not a resource
        let catalogue = Catalogue::new(&[1, 3, 4, 5], &resources, &[(1, 2), (2, 3), (3, 1), (4, 9)]);
        let axis = Axis::new("2025-07".parse().unwrap(), "2025-08".parse().unwrap());
        let mut usage = Usage::new();
        let mut spilled = Usage::new();
        for (datetime, url, ip, host) in [
            ("2025-07-01 00:00:00", "/site/resources/x/a", "1.1.1.1", "h"),
            ("2025-07-01 00:00:00", "/site/resources/x/b", "1.1.1.1", "H "),
            ("2024-08-01 00:00:00", "/site/resources/x/b", "1.1.1.2", ""),
            ("2025-08-01 00:00:00", "/site/resources/x/b", "1.1.1.3", "h"),
            ("2024-07-31 23:59:59", "/site/resources/x/b", "1.1.1.4", "h"),
            ("1994-12-31 23:59:59", "/site/resources/x/b", "1.1.1.5", "h"),
            ("2025-09-01 00:00:00", "/site/resources/x/b", "1.1.1.6", "h"),
        ] {
            let request = Request { datetime: Stamp::parse(datetime).unwrap(), content: url, ip, host };
            digest(&catalogue.matcher, &axis, &request, |visit| {
                usage.absorb(visit);
                spilled.absorb(visit);
            });
            spilled.relieve(0).unwrap();
        }
        let uses = usage.finish(&catalogue, &axis).unwrap();
        assert_eq!(spilled.finish(&catalogue, &axis).unwrap(), uses, "in parts");
        let counts: Vec<_> = uses.iter().map(|u| (u.month.to_string(), u.resid, u.period.code(), u.users)).collect();
        let month = |month: &str, counts: [i64; 6]| {
            let keys = [(1, 12), (1, 14), (1, 1), (3, 12), (3, 14), (3, 1)];
            keys.into_iter().zip(counts).map(|((id, p), n)| (month.to_owned(), id, p, n)).collect::<Vec<_>>()
        };
        // the circle gives 3 as many visitors as 1
        let expected = [month("2025-07", [2, 3, 1, 2, 3, 1]), month("2025-08", [2, 4, 1, 2, 4, 1])].concat();
        assert_eq!(counts, expected);
        assert_eq!(
            uses[0].line(),
            "{\"kind\":\"resource_stat\",\"resid\":1,\"restype\":5,\"users\":2,\"datetime\":\"2025-07-01 00:00:00\",\"period\":12}"
        );
    }

    /// Resources of all kinds, most of them below others.
    fn hub() -> impl Strategy<Value = (Vec<Resource>, Vec<(i64, i64)>)> {
        let path = select(
            &[
                "",
                "1/2/a.pdf",
                "1/02/A.PDF",
                "3/viewer.swf",
                "/topics/my intro",
                "/topics/my_",
                "lm/c/x.html",
                "lm/%/x.y",
                "/local/x",
                "x y",
                "5",
                "http://x/1",
            ][..],
        );
        let resources = prop::collection::vec(path, 1..7).prop_map(|paths| {
            let list = paths.into_iter().zip(1..);
            list.map(|(path, id)| Resource { id, kind: 1, path: path.to_owned() }).collect::<Vec<_>>()
        });
        (resources, prop::collection::vec((1_i64..8, 1_i64..8), 0..8))
    }

    fn request() -> impl Strategy<Value = (Stamp, &'static str, &'static str, &'static str)> {
        let datetime = select(
            &[
                "1994-12-31 23:59:59",
                "1995-01-01 00:00:00",
                "2023-12-31 23:59:59",
                "2024-01-01 00:00:00",
                "2024-06-30 23:59:59",
                "2024-07-01 00:00:00",
                "2024-12-01 00:00:00",
                "2024-12-15 12:00:00",
                "2025-01-01 00:00:00",
                "2025-06-30 23:59:59",
                "2025-07-01 00:00:00",
            ][..],
        );
        let url = select(
            &[
                "/site/resources/1/2/a.pdf",
                "/resources/2/download/\u{e1}.pdf ",
                "/site/resources/3/any",
                "/topics/my-old-20intro/x",
                "/topics/myX",
                "LM/c/any",
                "lm/a/b",
                "/local/X",
                "/site/resources/x%20y",
                "/site/resources/5",
                "/site/resources/lm/c/x.html",
                "/",
            ][..],
        );
        let ip = select(&["1.1.1.1", "2.2.2.2", "FE80::1", "fe80::1", ""][..]);
        (datetime.prop_map(|text| Stamp::parse(text).unwrap()), url, ip, select(&["h", "H ", "\u{e9}", "e", ""][..]))
    }

    /// The rules in their simplest form: for each resource and period, the distinct visitors among
    /// requests for one of the files below it.
    fn directly(
        asked: &[i64],
        resources: &[Resource],
        children: &[(i64, i64)],
        requests: &[(Stamp, &str, &str, &str)],
        months: &[Month],
    ) -> Vec<(Month, i64, Period, i64)> {
        let mut out = Vec::new();
        for &month in months {
            for &id in asked {
                let mut family = vec![id];
                loop {
                    let more = children.iter().find(|(p, c)| family.contains(p) && !family.contains(c));
                    let Some((_, child)) = more else { break };
                    family.push(*child);
                }
                let files: Vec<_> =
                    resources.iter().filter(|r| family.contains(&r.id)).flat_map(|r| urls(&r.path)).collect();
                if files.is_empty() {
                    continue;
                }
                for period in PERIODS {
                    let wanted = requests.iter().filter(|(t, url, ..)| {
                        *t >= period.start(month)
                            && *t < Period::stop(month)
                            && files.iter().any(|file| match file {
                                Urls::Equal(file) => equal(file, url),
                                Urls::Like(file) => Like::new(file).matches(url),
                            })
                    });
                    let visitors: std::collections::BTreeSet<_> = wanted
                        .map(|(_, _, ip, host)| (schema::collation::fold(ip), schema::collation::fold(host)))
                        .collect();
                    out.push((month, id, period, visitors.len() as i64));
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn visitors_of_resources_are_counted_as_the_rules_count_them(
            (resources, children) in hub(),
            requests in prop::collection::vec(request(), 0..30),
            first in select(&["2024-01", "2024-12", "2025-06"][..]),
            n in 0_u32..8,
        ) {
            let first: Month = first.parse().unwrap();
            let months: Vec<_> = first.through(first.plus(n)).collect();
            let asked: Vec<_> = resources.iter().map(|r| r.id).filter(|id| id % 3 > 0).collect();
            let catalogue = Catalogue::new(&asked, &resources, &children);
            let axis = Axis::new(first, first.plus(n));
            let mut usage = Usage::new();
            for &(datetime, content, ip, host) in &requests {
                digest(&catalogue.matcher, &axis, &Request { datetime, content, ip, host }, |visit| usage.absorb(visit));
            }
            let ours: Vec<_> = usage.finish(&catalogue, &axis).unwrap().into_iter().map(|u| (u.month, u.resid, u.period, u.users)).collect();
            prop_assert_eq!(ours, directly(&asked, &resources, &children, &requests, &months));
        }
    }
}

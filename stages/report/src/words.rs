//! Every text of the report, in each language. English is the first; another language is another value of
//! [`Words`] below it, and a line in `Language`.

use schema::Month;

/// Declares the texts and gives them in English.
macro_rules! texts {
    ($($name:ident: $english:literal,)+) => {
        /// The texts of a report in one language. `{}` stands for a value.
        #[derive(Debug)]
        pub(crate) struct Words {
            /// What `lang` says in HTML.
            pub(crate) code: &'static str,
            /// The months, in full.
            pub(crate) months: [&'static str; 12],
            /// The months where there is little room.
            pub(crate) short_months: [&'static str; 12],
            /// The days of the week, from Monday, where there is little room.
            pub(crate) weekdays: [&'static str; 7],
            $(pub(crate) $name: &'static str,)+
        }

        /// English.
        pub(crate) static EN: Words = Words {
            code: "en",
            months: [
                "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December",
            ],
            short_months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
            weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            $($name: $english,)+
        };
    };
}

texts! {
    title: "Usage report",
    private_copy: "Private copy: not for publication",
    contents: "Contents",
    subtitle_one: "{}",
    subtitle_span: "{} · records from {} to {}",
    subtitle_running: "{}, not yet complete",
    all_months: "All months",
    months_title: "Months",
    months_at_a_glance: "The months at a glance",
    all_months_intro: "Each month has a page of its own.",
    all_hubs: "All hubs",
    hub: "Hub",
    hubs: "Hubs",
    hubs_in: "The hubs in {}",
    hubs_intro: "Each hub has a page of its own; what follows is about all of them together. A visitor of several hubs counts once among all, so the hubs together have more.",
    remark_hubs: "Where a number of all hubs would tell what the page of a single hub does not show, it is “not shown” either.",
    nothing: "The records hold nothing that this report could show.",
    table: "Table",
    table_of: "Numbers of: {}",
    how_counted: "How it is counted",
    rules_title: "How the numbers are counted",
    rules_intro: "Each figure follows the rule that it names.",
    month: "Month",
    country: "Country",
    incomplete: "incomplete",
    incomplete_note: "Hatched: {}, not yet complete.",
    young_note: "The records begin in {}: up to {} these are numbers of fewer than twelve months, which grow with each month.",
    and_more: "and {} more",
    theme: "Light or dark",
    skip: "Skip to the content",
    made_with: "Made with hzmetrics {}.",
    against_month: "vs. {}",
    against_year: "vs. {}",
    few: "fewer than 5",
    not_shown: "not shown",
    no_number: "no number",
    remark_public: "Groups of fewer than five people are shown as “< 5”. Where one number of a sum is too small, the next smallest is “not shown”, so that the small one cannot be found by subtraction.",
    remark_private: "This copy shows every number, also those of fewer than five people. Do not publish it.",
    remark_no_sessions: "Single sessions of the twelve months to {} are no longer stored, so the map shows shares of regions instead of visitors by country.",
    remark_no_day: "{} of {} have no valid day. They count in the numbers of the month, but are left out of the section on traffic.",
    remark_no_requests: "Requests of {} are no longer stored, so the section on traffic is left out. This says nothing about how much traffic there was.",
    remark_map: "Outlines of countries: Natural Earth, public domain; projection: Equal Earth.",
    legend_few: "fewer than 5",
    legend_none: "nobody, or not known",
    legend_zero: "0",

    usage: "Usage",
    usage_intro: "Who used the hub, how much, and from where. Months are calendar months; “twelve months” are those that end with the month shown, in which everybody is counted once.",
    usage_running: "The headline figures and the map are those of {}: the users of {} are not counted yet.",
    card_users_year: "Users in twelve months",
    card_users: "Users",
    card_visits: "Visits",
    card_downloads: "Users with downloads",
    card_sim_users: "Simulation users",
    card_sim_runs: "Simulation runs",
    card_cpu: "CPU time",
    card_wall: "Wall time",
    card_view: "Interaction time",
    card_registrations: "New registrations",
    card_visitors: "Visitors",
    card_hits: "Web server hits",

    users_month: "Users by month",
    users_year: "Users in twelve months",
    all_users: "All users",
    logged_in: "Logged in",
    interactive: "Without login, over 15 minutes",
    downloaders: "Without login, with a download",
    visits: "Visits by month",
    visits_column: "Visits",
    long_visits: "Long or simulating",
    audience: "Visitors, domains and hits",
    visitors: "Visitors",
    domains: "Domains",
    hits: "Web server hits",
    downloads: "Users with downloads by month",
    all_downloaders: "All users with downloads",
    simulation: "Simulation by month",
    sim_users: "Simulation users",
    sim_runs: "Simulation runs",
    cpu_time: "CPU time",
    wall_time: "Wall time",
    view_time: "Interaction time",
    returning: "Simulation users who stay",
    heavy: "Ten minutes of CPU time or more",
    ten_runs: "Ten runs or more",
    came_back: "Back after 90 days or more",
    residence: "Where users live",
    united_states: "United States",
    europe: "Europe",
    asia: "Asia",
    elsewhere: "Elsewhere",
    no_continent: "No continent listed",
    residence_known: "Residence known",
    work: "Where users work",
    education: "Education",
    industry: "Industry",
    government: "Government",
    other_work: "Other",
    no_class: "No class listed",
    work_known: "Organisation known",
    registrations: "New registrations by month",
    registrations_column: "New registrations",
    map: "Visitors by country",
    map_regions: "Where users live, in twelve months",
    region: "Region",
    share: "Share",
    users_column: "Users",

    tools: "Tools and resources",
    tools_intro: "How simulation tools and other resources were used in the twelve months to {}.",
    tools_trend: "The small columns show the single months.",
    tool: "Tool",
    resource: "Resource",
    tools_users: "Tools by users",
    tools_runs: "Tools by runs",
    tools_times: "Run and waiting times",
    tools_countries: "Users of tools by country",
    tools_organisations: "Users of tools by organisation",
    resources: "Other resources by users",
    sessions: "Sessions",
    average_wait: "Average wait",
    average_wall: "Average wall time",
    average_cpu: "Average CPU time",
    others: "Others, or not known",

    traffic: "Traffic",
    traffic_intro: "What the web server was asked for. The headline figures and the days are of one month; everything else is of all records, from {} to {}.",
    traffic_intro_lines: "What became of the lines of the logs.",
    requests: "Requests",
    traffic_downloads: "Downloads",
    traffic_months: "Requests by month",
    traffic_days: "Requests by day, {}",
    traffic_week: "Requests by hour and day of the week",
    sum_week: "Most in an hour: {} ({}, {}).",
    day: "Day",
    weekday: "Day of the week",
    pages: "Pages",
    page: "URL",
    referrers: "Domains that link here",
    domain: "Domain",
    links: "Pages that link here",
    client_domains: "Domains of visitors",
    hosts: "Hosts of visitors",
    host: "Host",
    traffic_countries: "Requests by country",
    browsers: "Browsers",
    browser: "Browser",
    systems: "Operating systems",
    system: "System",
    traffic_error: "There are more than {} different ones: a number may be too low by up to {}, and one that is missing has no more than that.",
    bots: "Bots",
    bot: "Bot",
    other_bots: "Others",
    agents: "User agents",
    bot_hits: "Hits without the rule for bots",
    megabytes: "Megabytes",
    lines: "Lines of the access logs",
    lines_head: "What became of them",
    lines_column: "Lines",
    lines_kept: "Kept as requests",
    lines_not_recognised: "Not recognised",
    lines_ipv6: "Left out: IPv6 client",
    lines_dropped: "Left out: {}",

    sum_last: "{}: {} in {}.",
    sum_record: "{}: {} in {}, the most of the months shown.",
    sum_most: "Most in {}: {}.",
    sum_shares: "{}: {} leads with {} of those who are known.",
    sum_shares_hidden: "{}: the groups are too small to be shown in full.",
    shares_note: "Where a column ends below 100 %, some numbers are too small to be shown.",
    sum_hubs_hidden: "Some numbers are not shown, because they would tell the small numbers of a single hub.",
    sum_map: "{} countries in the twelve months to {}; most visitors: {} ({}).",
    sum_map_none: "In the twelve months to {} no country has enough visitors to be shown.",
    sum_regions: "Users of the twelve months to {} whose residence is known, by region.",
    sum_ranking: "{}: {} leads with {}.",

    rule_users_title: "Users",
    rule_users: "All users are those who logged in, plus visitors without a login who stayed for 15 minutes or more, plus visitors without a login who stayed for less and downloaded something. A visitor is an address with its host name. A session ends after 30 minutes without a request. Whoever logs in from an address in the period does not count again as a visitor from there. Numbers of people of different months must not be added: the same person may be in each.",
    rule_visits_title: "Visits, visitors, domains and hits",
    rule_visits: "A visit is a session. Visitors are distinct addresses with their host names, domains the organisations in these names. Long visits last 15 minutes or more, or start a simulation. Hits are the requests that the web server answered, without those of pictures and style sheets; bots and excluded addresses are left out of everything but the hits.",
    rule_downloads_title: "Users with downloads",
    rule_downloads: "Visitors whose session has at least one download of a resource, and those who ever logged in from the address of such a session.",
    rule_simulation_title: "Simulation",
    rule_simulation: "Simulation users started a tool successfully, runs are such starts. CPU and wall time are those of the sessions and jobs of the tools, interaction time is that in which somebody looked at them.",
    rule_residence_title: "Where users live",
    rule_residence: "For users who logged in it is the country of residence in their profile, for visitors the country of their address. Shares are of all users whose residence is known. Countries that the tables of the hub give no continent have a part of their own.",
    rule_work_title: "Where users work",
    rule_work: "For users who logged in it is the organisation in their profile, for visitors the class of their domain. Shares are of all users whose organisation is known.",
    rule_registrations_title: "New registrations",
    rule_registrations: "Accounts whose address was confirmed, by the day on which they were registered.",
    rule_tools_title: "Tools",
    rule_tools: "Users are distinct logins whose sessions with the tool began in the period. Runs are jobs without those that were still waiting; averages are for each simulation. Countries and organisations are those of the profiles. A user of two tools counts for both.",
    rule_resources_title: "Other resources",
    rule_resources: "Distinct visitors (address and host name) who asked for the file of the resource or for one below it.",
    rule_traffic_title: "Requests",
    rule_traffic: "Requests are the lines of the access logs that were kept: without bots, pictures and what else the import leaves out. Hits are counted as in “Visits, visitors, domains and hits”. Pages are shown without what follows “?”, and without the number or name of a member. Domains are those of the host names that DNS gives for the addresses, and of the referrers, with the hub itself. Browsers and systems are what the user agent says; a browser that is not known appears under the name of the one that it is made from. A page, domain, country, browser or system is shown only if at least five visitors (addresses) are behind it; what is not shown is always of five visitors and two names or more.",
    rule_bots_title: "Bots",
    rule_bots: "User agents that the import left out because they are bots. A bot has a name of its own here if a list of well-known crawlers has it, or if it came from at least five addresses; all others are one. In brackets: the list that decided.",
    rule_lines_title: "Lines of the access logs",
    rule_lines: "Every line of the imported access logs is kept as a request, left out by one rule, or not recognised.",
    rule_map_title: "Visitors by country",
    rule_map: "Distinct visitors (address and host name) of the twelve months, by the country of the address. A visitor counts once in each country.",
}

/// A rule that figures follow, explained at the end of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Users,
    Visits,
    Downloads,
    Simulation,
    Residence,
    Work,
    Registrations,
    Tools,
    Resources,
    Map,
    Traffic,
    Bots,
    Lines,
}

impl Rule {
    /// The anchor of the rule.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Users => "rule-users",
            Self::Visits => "rule-visits",
            Self::Downloads => "rule-downloads",
            Self::Simulation => "rule-simulation",
            Self::Residence => "rule-residence",
            Self::Work => "rule-work",
            Self::Registrations => "rule-registrations",
            Self::Tools => "rule-tools",
            Self::Resources => "rule-resources",
            Self::Map => "rule-map",
            Self::Traffic => "rule-traffic",
            Self::Bots => "rule-bots",
            Self::Lines => "rule-lines",
        }
    }
}

/// A text with its `{}` filled in, from the left.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (i, part) in parts.enumerate() {
        filled.push_str(values.get(i).copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

impl Words {
    /// The heading and the text of a rule.
    pub(crate) const fn rule(&self, rule: Rule) -> (&'static str, &'static str) {
        match rule {
            Rule::Users => (self.rule_users_title, self.rule_users),
            Rule::Visits => (self.rule_visits_title, self.rule_visits),
            Rule::Downloads => (self.rule_downloads_title, self.rule_downloads),
            Rule::Simulation => (self.rule_simulation_title, self.rule_simulation),
            Rule::Residence => (self.rule_residence_title, self.rule_residence),
            Rule::Work => (self.rule_work_title, self.rule_work),
            Rule::Registrations => (self.rule_registrations_title, self.rule_registrations),
            Rule::Tools => (self.rule_tools_title, self.rule_tools),
            Rule::Resources => (self.rule_resources_title, self.rule_resources),
            Rule::Map => (self.rule_map_title, self.rule_map),
            Rule::Traffic => (self.rule_traffic_title, self.rule_traffic),
            Rule::Bots => (self.rule_bots_title, self.rule_bots),
            Rule::Lines => (self.rule_lines_title, self.rule_lines),
        }
    }

    /// `June 2025`.
    pub(crate) fn month_name(&self, month: Month) -> String {
        format!("{} {}", name(&self.months, month), month.year())
    }

    /// `Jun 2025`.
    pub(crate) fn short(&self, month: Month) -> String {
        format!("{} {}", name(&self.short_months, month), month.year())
    }

    /// `Jun`.
    pub(crate) fn shortest(&self, month: Month) -> &'static str {
        name(&self.short_months, month)
    }

    /// The line below the title.
    pub(crate) fn subtitle(&self, month: Option<Month>, span: Option<(Month, Month)>) -> String {
        match (month, span) {
            (Some(month), Some((first, last))) if first < last => {
                fill(self.subtitle_span, &[&self.month_name(month), &self.month_name(first), &self.month_name(last)])
            }
            (Some(month), _) => fill(self.subtitle_one, &[&self.month_name(month)]),
            (None, _) => String::new(),
        }
    }
}

fn name(names: &[&'static str; 12], month: Month) -> &'static str {
    names.get(usize::from(month.month()) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_their_places() {
        assert_eq!(fill("{}: {} in {}.", &["a", "b", "c"]), "a: b in c.");
        assert_eq!(fill("{}", &["{}"]), "{}");
        assert_eq!(fill("none", &["a"]), "none");
    }
}

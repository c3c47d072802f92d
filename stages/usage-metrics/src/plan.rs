//! Which steps a run on the databases makes, on which tables, in which order. Pure.

use schema::{Compat, Opt};

use crate::args::Step;

/// One step on one table; the table is empty for steps with fixed tables.
pub(crate) type Action<'a> = (Step, &'a str);

/// The actions of a run: all, or those of the steps in `only`; on `table` alone if it is given.
/// `closed`: whether the month is over, if sessions wait for that.
pub(crate) fn actions<'a>(compat: Compat, closed: bool, only: &[Step], table: Option<&'a str>) -> Vec<Action<'a>> {
    let asked = |step: Step| only.contains(&step);
    let bots_first = compat.has(Opt::BotsBeforeSessions);
    let sessions = closed || !compat.has(Opt::SessionsAtMonthClose) || asked(Step::Sessions);
    let mut list: Vec<Action<'a>> = vec![
        (Step::ImportHubData, ""),
        (Step::MiddlewareWall, ""),
        (Step::MiddlewareCpu, ""),
        (Step::Hosts, "web"),
        (Step::Hosts, "toolstart"),
        (Step::Domains, "web"),
        (Step::Domains, "toolstart"),
    ];
    let session_steps = |list: &mut Vec<Action<'a>>| {
        list.push((Step::CleanBots, "websessions"));
        if compat.has(Opt::ClearOrphanStamps) || asked(Step::ClearOrphanStamps) {
            list.push((Step::ClearOrphanStamps, ""));
        }
        if compat.has(Opt::RefillWebsessions) {
            list.extend([(Step::Hosts, "websessions"), (Step::Domains, "websessions")]);
        }
    };
    if sessions && !bots_first {
        list.push((Step::Sessions, ""));
    }
    list.push((Step::CleanBots, "web"));
    if compat.has(Opt::DerivedWebhits) || asked(Step::RebuildWebhits) {
        list.push((Step::RebuildWebhits, ""));
    }
    if sessions && !bots_first {
        session_steps(&mut list);
    }
    list.extend([(Step::UserInfo, "toolstart"), (Step::Countries, "web")]);
    if bots_first {
        list.push((Step::Countries, "toolstart"));
        if sessions {
            list.push((Step::Sessions, ""));
            session_steps(&mut list);
            list.push((Step::Countries, "websessions"));
        }
    } else {
        if sessions {
            list.push((Step::Countries, "websessions"));
        }
        list.push((Step::Countries, "toolstart"));
    }
    if asked(Step::ClearOrphanStamps) && !sessions {
        list.push((Step::ClearOrphanStamps, ""));
    }
    if !only.is_empty() {
        list.retain(|(step, _)| asked(*step));
    }
    if let Some(table) = table {
        let mut seen = Vec::new();
        list.retain(|(step, of)| {
            let first = !seen.contains(step);
            seen.push(*step);
            first || of.is_empty()
        });
        for (_, of) in list.iter_mut().filter(|(_, of)| !of.is_empty()) {
            *of = table;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(compat: &str, closed: bool, only: &[Step], table: Option<&str>) -> String {
        let list = actions(Compat::parse(compat).unwrap(), closed, only, table);
        let one = |(step, table): &Action<'_>| format!("{} {table}", step.name()).trim().to_owned();
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    const BEGIN: &str = "import-hub-data, middleware-wall, middleware-cpu, hosts web, hosts toolstart, domains web, \
                         domains toolstart, ";

    #[test]
    fn steps_run_in_legacys_order() {
        let expected = "sessions, clean-bots web, clean-bots websessions, user-info toolstart, countries web, \
                        countries websessions, countries toolstart";
        for closed in [true, false] {
            assert_eq!(shown("default", closed, &[], None), format!("{BEGIN}{expected}"));
        }
    }

    #[test]
    fn with_compat_port_steps_run_in_the_ports_order() {
        let rows = "clean-bots web, rebuild-webhits, user-info toolstart, countries web, countries toolstart";
        let sessions = ", sessions, clean-bots websessions, clear-orphan-stamps, hosts websessions, \
                        domains websessions, countries websessions";
        assert_eq!(shown("port", true, &[], None), format!("{BEGIN}{rows}{sessions}"));
        assert_eq!(shown("port", false, &[], None), format!("{BEGIN}{rows}"));
        assert_eq!(shown("port", false, &[Step::Sessions], None), "sessions");
    }

    #[test]
    fn single_options_change_single_steps() {
        let expected = "clean-bots web, user-info toolstart, countries web, countries toolstart";
        assert_eq!(shown("sessions-at-month-close", false, &[], None), format!("{BEGIN}{expected}"));
        let steps = [Step::Sessions, Step::CleanBots, Step::Domains];
        let expected = "domains web, domains toolstart, sessions, clean-bots web, clean-bots websessions, \
                        domains websessions";
        assert_eq!(shown("refill-websessions", true, &steps, None), expected);
    }

    #[test]
    fn single_steps_can_run_on_one_table() {
        assert_eq!(shown("default", true, &[Step::Domains], Some("x")), "domains x");
        assert_eq!(shown("port", true, &[Step::Countries, Step::Domains], Some("x")), "domains x, countries x");
        assert_eq!(shown("default", true, &[Step::CleanBots], Some("websessions")), "clean-bots websessions");
        assert_eq!(shown("default", true, &[Step::Domains], None), "domains web, domains toolstart");
        assert_eq!(shown("default", false, &[Step::RebuildWebhits], None), "rebuild-webhits");
        for compat in ["default", "port"] {
            assert_eq!(shown(compat, false, &[Step::ClearOrphanStamps], None), "clear-orphan-stamps");
        }
    }
}

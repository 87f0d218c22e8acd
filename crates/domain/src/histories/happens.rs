//! What happens in the company. Nobody is told of it before its HR systems are read.

use super::*;
use crate::employee::Status;
use crate::roster::Migration;

impl Story {
    /// Somebody new, who gets accounts.
    pub(super) fn join(&mut self, source: usize, starts_in: i32, address: Option<String>) -> usize {
        let line = self.company.hire(source, starts_in, address);
        let one = &self.company.lines[line];
        let record = format!("{}/{}", self.company.systems[source].name, one.id);
        self.cluster.equip(one.human, &record, &self.company.humans[one.human].address);
        line
    }

    /// An employment ended so many days ago, and not before it began.
    pub(super) fn end(&mut self, line: usize, days: i32) {
        let last = Some(self.company.day(-1 - days));
        let one = &mut self.company.lines[line];
        (one.status, one.last_day) = (Status::Terminated, last.max(one.start));
    }

    /// What happens in the company. Says nothing to anybody.
    pub(super) fn happens(&mut self, step: Step) -> Option<(usize, &'static str)> {
        let lines = self.company.lines.len();
        let line = |who: u8| usize::from(who) % lines;
        Some(match step {
            Step::Hired(source, days) => (self.join(self.employer(source), i32::from(days), None), "hired"),
            Step::Notice(who, days) => {
                let last = Some(self.company.day(i32::from(days)));
                let one = &mut self.company.lines[line(who)];
                (one.last_day, one.urgent) = (last.max(one.start), false);
                (line(who), "a last day")
            }
            Step::Gone(who, days) => {
                self.end(line(who), i32::from(days));
                (line(who), "terminated")
            }
            Step::Urgent(who) => {
                let last = self.company.day(20);
                let one = &mut self.company.lines[line(who)];
                if !self.company.systems[one.source].silent {
                    (one.status, one.last_day, one.urgent) = (Status::Terminated, Some(last), true);
                }
                (line(who), "dismissed at once")
            }
            Step::Withdrawn(who) => {
                let one = &mut self.company.lines[line(who)];
                (one.status, one.last_day, one.urgent) = (Status::Active, None, false);
                (line(who), "stays")
            }
            Step::OnLeave(who) | Step::Back(who) => {
                let one = &mut self.company.lines[line(who)];
                let status = if matches!(step, Step::OnLeave(_)) { Status::Leave } else { Status::Active };
                one.status = if one.status == Status::Terminated { one.status } else { status };
                (line(who), "leave")
            }
            Step::Rehired(who, new_id, source, days) => {
                let human = self.company.lines[line(who)].human;
                if new_id {
                    (self.company.employ(human, self.employer(source), i32::from(days)), "hired again")
                } else {
                    let start = self.company.day(i32::from(days));
                    let one = &mut self.company.lines[line(who)];
                    (one.status, one.urgent, one.start) = (Status::Active, false, Some(start));
                    one.last_day = one.last_day.filter(|last| *last < start && days == 0); // some systems keep the old day
                    (line(who), "hired again")
                }
            }
            Step::Readdressed(who) => {
                let human = self.company.lines[line(who)].human;
                self.company.humans[human].address = format!("u{human}.{}@example.com", self.steps);
                (line(who), "another address")
            }
            Step::Successor(who, source) => {
                let human = self.company.lines[line(who)].human;
                if self.company.employs(human) {
                    return None;
                }
                let address = self.company.humans[human].address.clone();
                (self.join(self.employer(source), 0, Some(address)), "with the address of a leaver")
            }
            Step::Moved(who) => {
                let human = self.company.lines[line(who)].human;
                let human = &mut self.company.humans[human];
                human.department = if human.department == "Labs" { "Tools" } else { "Labs" };
                (line(who), "moved")
            }
            Step::Transferred(who) => {
                let human = self.company.lines[line(who)].human;
                let human = &mut self.company.humans[human];
                human.department = if human.department == "North" { "Tools" } else { "North" };
                (line(who), "transferred")
            }
            Step::Vanishes(who) => {
                self.company.lines[line(who)].listed ^= true;
                (line(who), "no longer listed, or again")
            }
            _ => return None,
        })
    }

    pub(super) fn line_told(&mut self, line: usize, what: &str) {
        let one = &self.company.lines[line];
        let name = self.company.systems[one.source].name;
        let last = one.last_day.map_or_else(String::new, |day| format!(" last {day}"));
        let said = format!("{name} has {} {:?}{last}, {what}", one.id, one.status);
        self.tell(&said);
    }

    /// A system of employments, and not one that was replaced.
    pub(super) fn employer(&self, number: u8) -> usize {
        let employers: Vec<usize> = (0..self.company.systems.len())
            .filter(|system| {
                let system = &self.company.systems[*system];
                !system.corroborates && system.replaced_by.is_none()
            })
            .collect();
        employers[usize::from(number) % employers.len()]
    }

    /// Another HR system takes the place of one; once in a story.
    pub(super) fn replace(&mut self, old: usize) {
        if self.company.systems.iter().any(|system| system.replaced_by.is_some()) {
            return;
        }
        let new = self.company.replace(old);
        let (from, by) = (self.company.systems[old].name, self.company.systems[new].name);
        self.cluster.connect(by, Role::Employment);
        self.cluster.sources[old].role = Role::Replaced;
        self.cluster.migrations = vec![Migration { from: from.to_owned(), by: by.to_owned(), same_ids: false }];
        self.tell(&format!("{by} takes the place of {from}"));
    }
}

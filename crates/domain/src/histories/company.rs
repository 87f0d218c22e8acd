//! The company as it truly is, and what its HR systems say of it: rightly, or with a lie.

use jiff::civil::Date;
use jiff::{Span, Timestamp};

use super::steps::Lie;
use crate::employee::{BadRecord, Employee, Failure, HrId, Read, ReportedStatus, Status, Text};

/// One human.
pub(super) struct Human {
    pub(super) address: String,
    pub(super) department: &'static str,
}

/// One record of one human in one HR system.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) human: usize,
    pub(super) source: usize,
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) start: Option<Date>,
    pub(super) last_day: Option<Date>,
    pub(super) urgent: bool,
    pub(super) listed: bool,
}

/// One HR system.
pub(super) struct System {
    pub(super) name: &'static str,
    /// It has no status column, and speaks by its dates.
    pub(super) silent: bool,
    /// It is of accounts, and says of nobody that they left.
    pub(super) corroborates: bool,
    /// What took its place.
    pub(super) replaced_by: Option<usize>,
    /// Everything it ever answered rightly.
    answers: Vec<Vec<Employee>>,
}

/// The company.
pub(super) struct Company {
    pub(super) humans: Vec<Human>,
    pub(super) lines: Vec<Line>,
    pub(super) systems: Vec<System>,
    /// The true instant, whatever the cluster's clock says.
    pub(super) now: Timestamp,
}

/// Names of the HR systems.
pub(super) const NAMES: [&str; 3] = ["hq", "shop", "agency"];
/// Name of what takes the place of one of them.
pub(super) const REPLACES: &str = "workday";
/// Name of the system of accounts.
pub(super) const ACCOUNTS: &str = "okta";

impl Line {
    /// Whether the employment has truly ended.
    pub(super) fn ended(&self, today: Date) -> bool {
        // A day before the first one is of an earlier employment.
        let passed = self.last_day.is_some_and(|day| day < today && self.start.is_none_or(|start| start <= day));
        passed || (self.status == Status::Terminated && (self.urgent || self.last_day.is_none()))
    }
}

impl Company {
    /// A company with these HR systems, and with accounts where they corroborate.
    pub(super) fn new(systems: &[bool], accounts: bool, now: Timestamp) -> Self {
        let system =
            |name, silent, corroborates| System { name, silent, corroborates, replaced_by: None, answers: Vec::new() };
        let employers = systems.iter().zip(NAMES).map(|(silent, name)| system(name, *silent, false));
        let accounts = accounts.then(|| system(ACCOUNTS, false, true));
        Self { humans: Vec::new(), lines: Vec::new(), systems: employers.chain(accounts).collect(), now }
    }

    pub(super) fn today(&self) -> Date {
        madrid(self.now)
    }

    pub(super) fn day(&self, days: i32) -> Date {
        self.today().saturating_add(Span::new().days(days))
    }

    /// Somebody new, who is known by this address.
    pub(super) fn hire(&mut self, source: usize, starts_in: i32, address: Option<String>) -> usize {
        let human = self.humans.len();
        let address = address.unwrap_or_else(|| format!("u{human}@example.com"));
        self.humans.push(Human { address, department: if human % 4 == 2 { "North" } else { "Tools" } });
        let line = self.employ(human, source, starts_in);
        if let Some(accounts) = self.systems.iter().position(|system| system.corroborates) {
            self.employ(human, accounts, starts_in);
        }
        line
    }

    /// One more employment of a human; gives its line.
    pub(super) fn employ(&mut self, human: usize, source: usize, starts_in: i32) -> usize {
        let before = self.lines.iter().filter(|line| line.human == human).count();
        let id = if before == 0 { format!("u{human}") } else { format!("u{human}-{before}") };
        let start = Some(self.day(starts_in));
        let (status, last_day) = (Status::Active, None);
        self.lines.push(Line { human, source, id, status, start, last_day, urgent: false, listed: true });
        self.lines.len() - 1
    }

    /// An HR system takes the place of another one: everybody of it has a new id there.
    pub(super) fn replace(&mut self, old: usize) -> usize {
        let new = self.systems.len();
        let silent = self.systems[old].silent;
        let (name, corroborates) = (REPLACES, false);
        self.systems.push(System { name, silent, corroborates, replaced_by: None, answers: Vec::new() });
        self.systems[old].replaced_by = Some(new);
        for line in self.lines.iter_mut().filter(|line| line.source == old) {
            (line.source, line.id) = (new, format!("w{}", line.id));
        }
        new
    }

    /// Whether a human works here, or will.
    pub(super) fn employs(&self, human: usize) -> bool {
        let employs = |line: &&Line| line.human == human && !self.systems[line.source].corroborates;
        self.lines.iter().filter(employs).any(|line| !line.ended(self.today()))
    }

    /// What an HR system says; with a lie, what comes of it on its way.
    pub(super) fn says(&mut self, source: usize, lie: Lie) -> Result<Read, Failure> {
        let truth = self.truth(source);
        let earlier = match lie {
            Lie::Stale(back) => self.systems[source].answers.iter().nth_back(usize::from(back)).cloned(),
            _ => None,
        };
        self.systems[source].answers.push(truth.clone());
        let read = |employees: Vec<Employee>| Ok(Read { employees, ..Read::default() });
        let half = truth.len() / 2;
        match lie {
            Lie::None => read(truth),
            Lie::Stale(_) => read(earlier.unwrap_or(truth)),
            Lie::Forbidden => Err(Failure::Forbidden),
            Lie::Empty => read(Vec::new()),
            Lie::Cut => Err(Failure::Truncated("a line has another number of cells".into())),
            Lie::HalfWritten => read(truth.into_iter().take(half.max(1)).collect()),
            Lie::LostPage => {
                let announced_total = Some(truth.len());
                let employees =
                    truth.into_iter().enumerate().filter(|(n, _)| n % 10 >= 4).map(|(_, one)| one).collect();
                Ok(Read { employees, announced_total, ..Read::default() })
            }
            Lie::Filter => read(truth.into_iter().filter(|one| one.text(Text::Department) == Some("Labs")).collect()),
            Lie::OnlyWhoWorks => {
                let works = |one: &Employee| one.reported_status != ReportedStatus::Mapped(Status::Terminated);
                read(truth.into_iter().filter(works).collect())
            }
            Lie::Duplicate(who) => {
                let mut all = truth;
                if let Some(mut again) = all.get(usize::from(who) % all.len().max(1)).cloned() {
                    again.reported_status = ReportedStatus::Mapped(Status::Terminated);
                    all.push(again);
                }
                read(all)
            }
            Lie::Unmapped(who) => {
                let (mut all, who) = (truth, usize::from(who));
                let people = all.len().max(1);
                all[who % people..].iter_mut().for_each(|one| one.reported_status = ReportedStatus::Unmapped);
                read(all)
            }
            Lie::Bad(who) => {
                let mut all = truth;
                let taken = all.len().min(usize::from(who) % 3 + 1);
                let bad = (0..taken).map(|position| BadRecord { position, reason: "hireDate is not a date".into() });
                let bad = bad.collect();
                all.drain(..taken);
                Ok(Read { employees: all, bad, ..Read::default() })
            }
            Lie::Tenant => read(truth.into_iter().map(of_another_tenant).collect()),
            Lie::Shifted(column) => read(shifted(truth, column)),
            Lie::Changes(who) => {
                let employees = truth.into_iter().skip(usize::from(who) % 5).step_by(3).collect();
                Ok(Read { employees, part: true, ..Read::default() })
            }
        }
    }

    fn truth(&self, source: usize) -> Vec<Employee> {
        let lines = self.lines.iter().filter(|line| line.source == source && line.listed);
        lines.map(|line| self.employee(line)).collect()
    }

    fn employee(&self, line: &Line) -> Employee {
        let human = &self.humans[line.human];
        let silent = self.systems[line.source].silent;
        let status = if silent { ReportedStatus::Silent } else { ReportedStatus::Mapped(line.status) };
        let one =
            Employee::new(HrId(line.id.clone()), format!("Person Number{}", line.human), human.address.clone(), status);
        let one = one.with(Text::Department, human.department);
        let one = one.with(Text::EmployeeNumber, &format!("{:04}", line.human));
        Employee { start: line.start, last_day: line.last_day, urgent: line.urgent, ..one }
    }
}

/// The day in the zone of the policy.
pub(super) fn madrid(now: Timestamp) -> Date {
    now.to_zoned(jiff::tz::TimeZone::get("Europe/Madrid").unwrap()).date()
}

/// The same number of people of another company.
fn of_another_tenant(one: Employee) -> Employee {
    let start = one.start.map(|day| day.saturating_add(Span::new().days(-400)));
    let name = format!("Somebody Else{}", one.id);
    Employee { id: HrId(format!("t{}", one.id)), name, work_email: format!("t.{}", one.work_email), start, ..one }
}

/// A column that moved by a row.
fn shifted(all: Vec<Employee>, column: u8) -> Vec<Employee> {
    let mut below: Vec<Employee> = all.clone();
    below.rotate_left(usize::from(!all.is_empty()));
    let of = |(one, below): (Employee, Employee)| match column % 3 {
        0 => Employee { id: below.id, ..one },
        1 => Employee { work_email: below.work_email, ..one },
        _ => Employee { reported_status: below.reported_status, last_day: below.last_day, ..one },
    };
    all.into_iter().zip(below).map(of).collect()
}

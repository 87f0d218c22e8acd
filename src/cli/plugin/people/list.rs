//! `rollcall people`: everybody, or who starts, who leaves, and what comes next.

use clap::{ArgGroup, Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use kube::ResourceExt;
use serde::Serialize;

use super::accounts::{self, Accounts};
use super::turns::{Ahead, Turn};
use super::{READING, World, record};
use crate::api::person::State as Shown;
use crate::api::{Person, SyncPolicy};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::plugin::output::{self, unwritable};
use crate::cli::plugin::progress::during;
use crate::cli::terminal::{columns, harmless, plain, say};
use crate::kube::calls;
use crate::sync::convert;
use domain::identity::Finding;
use domain::lifecycle::State;
use domain::moves::in_words;
use domain::roster::{Employment, RosterEntry};
use domain::timezone::Zone;

/// Options of `rollcall people`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("turn").args(["upcoming", "leavers", "starters", "movers"])))]
#[command(after_help = "A day is a day where the person works; today is the day in UTC. Times are in UTC.")]
pub struct Options {
    /// Only people to whom something happens next: who start, leave, or whose revocation is due. The soonest first
    #[arg(long)]
    upcoming: bool,
    /// Only people whose last day of work is within --from and --to. Default: the last seven days
    #[arg(long)]
    leavers: bool,
    /// Only people whose first day of work is within --from and --to. Default: today and the next seven days
    #[arg(long)]
    starters: bool,
    /// Only people whose department, title, company or manager changed within --from and --to, by the newest change. Default: the
    /// last seven days
    #[arg(long)]
    movers: bool,
    /// Only people about whom HR and a directory differ: leavers whose account is on, people who work here and have none,
    /// or one that is off
    #[arg(long)]
    findings: bool,
    /// First day, such as 2026-03-01
    #[arg(long, value_name = "DATE", requires = "turn")]
    from: Option<Date>,
    /// Last day
    #[arg(long, value_name = "DATE", requires = "turn")]
    to: Option<Date>,
    /// Only people whom this SyncPolicy manages
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Only people in this state
    #[arg(long, value_parser = state)]
    state: Option<Shown>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Show names and addresses
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each person
    Table,
    /// The same, with more columns
    Wide,
    /// A list of objects
    Json,
    /// The same as YAML
    Yaml,
    /// A line for each person, for a spreadsheet
    Csv,
}

fn state(text: &str) -> Result<Shown, String> {
    let all = || Shown::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
    let found = Shown::ALL.iter().copied().find(|state| state.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("one of {}", all()))
}

/// Whom to list, and by what they are ordered.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    All,
    Upcoming(Days),
    Leavers(Days),
    Starters(Days),
    Movers(Days),
}

/// Days from the first to the last; an open end is any day.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl Days {
    fn hold(self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// One person, as they are listed.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub person: String,
    pub records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub state: String,
    pub why: String,
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    pub first_day: Option<Date>,
    pub last_day: Option<Date>,
    pub time_zone: String,
    pub policy: String,
    pub access: String,
    pub revocation: String,
    pub waits_for: String,
    pub remaining: u32,
    pub next: String,
    pub next_at: Option<Timestamp>,
    pub moved: String,
    pub moved_at: Option<Timestamp>,
    pub review_due: Option<Timestamp>,
    pub account: String,
    pub last_sign_in: String,
    pub mfa_enrolled: String,
    pub sso: String,
    pub finding: String,
}

/// Lists them.
///
/// # Flow          read everything once; decide who is wanted; print
/// # Guarantees    changes nothing; names only where they are asked for
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let now = calls::now();
    let wanted = wanted(options, now.to_zoned(TimeZone::UTC).date());
    let client = options.cluster.client().await?;
    let world = during(READING, World::read(&client, options.cluster.namespace())).await?;
    let theirs = |person: &&Person| {
        let status = person.status.as_ref();
        let employment = status.and_then(|status| status.employment.as_ref());
        let policy = status.and_then(|status| status.policy.as_ref());
        options.policy.as_ref().is_none_or(|name| policy == Some(name))
            && options.state.is_none_or(|state| employment.is_some_and(|employment| employment.state == state))
    };
    let mut rows = rows(&world, world.people.iter().filter(theirs), wanted, now);
    rows.retain(|row| !options.findings || !row.finding.is_empty());
    let rows: Vec<_> = rows.into_iter().map(|row| if options.unmask { row } else { masked(row) }).collect();
    match options.output {
        Output::Table | Output::Wide if rows.is_empty() => say("Nobody."),
        Output::Table | Output::Wide => {
            let mut more = if options.movers { MOVERS.to_vec() } else { Vec::new() };
            more.extend(options.findings.then_some(FINDING));
            say(&table(&rows, options.output == Output::Wide, &more));
        }
        Output::Json => say(&output::json(&rows)?),
        Output::Yaml => say(&output::yaml(&rows)?),
        Output::Csv => say(csv(&rows)?.trim_end()),
    }
    if options.findings && matches!(options.output, Output::Table | Output::Wide) {
        orphans(&world, options.policy.as_deref()).iter().for_each(|line| say(line));
    }
    Ok(())
}

/// Accounts that nobody has: no Person shows them.
fn orphans(world: &World, policy: Option<&str>) -> Vec<String> {
    let wanted = |one: &&SyncPolicy| policy.is_none_or(|name| one.name_any() == name);
    let line = |one: &SyncPolicy| {
        let accounts = one.status.as_ref()?.accounts.as_ref().filter(|accounts| accounts.orphans > 0)?;
        let first = accounts.first_orphans.join(", ");
        Some(format!(
            "{} accounts that are on are nobody's, by SyncPolicy {}: {}",
            accounts.orphans,
            one.name_any(),
            plain(&first)
        ))
    };
    world.policies.iter().filter(wanted).filter_map(line).collect()
}

fn wanted(options: &Options, today: Date) -> Wanted {
    let Options { from, to, .. } = *options;
    let given = from.is_some() || to.is_some();
    let days = |first: Date, last: Date| match given {
        true => Days { from, to },
        false => Days { from: Some(first), to: Some(last) },
    };
    match options {
        Options { upcoming: true, .. } => Wanted::Upcoming(Days { from, to }),
        Options { leavers: true, .. } => Wanted::Leavers(days(today.saturating_sub(6.days()), today)),
        Options { starters: true, .. } => Wanted::Starters(days(today, today.saturating_add(7.days()))),
        Options { movers: true, .. } => Wanted::Movers(days(today.saturating_sub(6.days()), today)),
        _ => Wanted::All,
    }
}

/// Who is wanted, in order: by the day that was asked about, else by their first HR record.
pub fn rows<'a>(world: &World, people: impl Iterator<Item = &'a Person>, wanted: Wanted, now: Timestamp) -> Vec<Row> {
    let (ahead, accounts) = (Ahead::of(world, now), Accounts::of(world));
    let mut found: Vec<(Option<Timestamp>, Option<Date>, Row)> = people
        .filter_map(|person| {
            let entry = convert::known(person).entry;
            let turns = ahead.turns(person, now);
            let row = with_accounts(row(person, entry.as_deref(), &turns, now), accounts.shown(person, now));
            let (at, day) = match wanted {
                Wanted::All => (None, None),
                Wanted::Upcoming(days) => {
                    let at = row.next_at.filter(|at| *at > now)?;
                    (Some(at), Some(day_of(at, &row.time_zone)).filter(|day| days.hold(*day)))
                }
                Wanted::Leavers(days) => (None, leaves(entry.as_ref()?, &turns).filter(|day| days.hold(*day))),
                Wanted::Movers(days) => {
                    (None, row.moved_at.map(|at| day_of(at, &row.time_zone)).filter(|day| days.hold(*day)))
                }
                Wanted::Starters(days) => (None, starts(entry.as_ref()?).filter(|day| days.hold(*day))),
            };
            let listed = matches!(wanted, Wanted::All) || day.is_some();
            listed.then_some((at, day, row))
        })
        .collect();
    found.sort_by(|(at, day, row), (other_at, other_day, other)| {
        (at, day, &row.records, &row.person).cmp(&(other_at, other_day, &other.records, &other.person))
    });
    found.into_iter().map(|(.., row)| row).collect()
}

/// The day that an instant belongs to there.
fn day_of(at: Timestamp, zone: &str) -> Date {
    Zone::named(zone).map_or_else(|| at.to_zoned(TimeZone::UTC).date(), |zone| zone.today(at))
}

/// The last day of work of somebody who has left, or of whom it is known that they will.
fn leaves(entry: &RosterEntry, turns: &[Turn]) -> Option<Date> {
    let employment = &entry.employment;
    if employment.state != State::Terminated {
        let left = |turn: &&Turn| turn.person.is_some_and(|(state, _)| state == State::Terminated);
        return turns.iter().find(left).and_then(|turn| turn.last_day);
    }
    // Without a last day, that of the response that says they have left.
    let read = || employment.left.as_ref().map(|left| day_of(left.effective, &employment.zone));
    employment.last_day.or_else(read)
}

/// The first day of work of somebody who does not work here by another record already.
fn starts(entry: &RosterEntry) -> Option<Date> {
    let says = |one: &Employment| match one.state.state {
        State::OutOfScope => one.state.why.state(),
        state => state,
    };
    let goes_on = entry.employments.iter().filter(|one| says(one) != State::Terminated);
    let starts: Vec<Option<Date>> = goes_on.map(|one| one.facts.start).collect();
    // One without a first day has begun at any time.
    if starts.iter().any(Option::is_none) { None } else { starts.into_iter().flatten().min() }
}

fn with_accounts(row: Row, shown: accounts::Shown) -> Row {
    let accounts::Shown { account, facts: [last_sign_in, mfa_enrolled, sso], finding } = shown;
    let finding = finding.map_or("", Finding::as_str).to_owned();
    Row { account, last_sign_in, mfa_enrolled, sso, finding, ..row }
}

fn row(person: &Person, entry: Option<&RosterEntry>, turns: &[Turn], now: Timestamp) -> Row {
    let status = person.status.clone().unwrap_or_default();
    let profile = status.profile.unwrap_or_default();
    let employment = status.employment;
    let access = status.access;
    let moves = status.moves.unwrap_or_default();
    let due = access.as_ref().and_then(|access| access.next_action_at).filter(|at| *at > now);
    let due = due.map(|at| (at, access.as_ref().map(|access| access.revocation.clone()).unwrap_or_default()));
    let turn = turns.iter().find_map(|turn| Some((turn.at.max(now), turns_to(turn.person?.0).to_owned())));
    let (next_at, next) = [due, turn].into_iter().flatten().min().unzip();
    Row {
        person: person.name_any(),
        records: person.spec.records.iter().map(record).collect(),
        name: profile.display_name,
        address: profile.work_email,
        state: employment.as_ref().map(|one| one.state.as_str().to_owned()).unwrap_or_default(),
        why: employment.as_ref().map(|one| one.why.clone()).unwrap_or_default(),
        since: employment.as_ref().map(|one| one.since),
        effective: employment.as_ref().and_then(|one| one.effective),
        seen: employment.as_ref().and_then(|one| one.seen),
        first_day: entry.and_then(starts),
        last_day: employment.as_ref().and_then(|one| one.last_day),
        time_zone: employment.map(|one| one.time_zone).unwrap_or_default(),
        policy: status.policy.unwrap_or_default(),
        revocation: access.as_ref().map(|access| access.revocation.clone()).unwrap_or_default(),
        waits_for: access.as_ref().and_then(|access| access.waits_for.clone()).unwrap_or_default(),
        remaining: access.as_ref().map(|access| access.remaining).unwrap_or_default(),
        access: access.map(|access| access.state).unwrap_or_default(),
        next: next.unwrap_or_default(),
        next_at,
        moved: moves.last.as_ref().map(|moved| in_words(&moved.fields)).unwrap_or_default(),
        moved_at: moves.last.map(|moved| moved.at),
        review_due: moves.review.map(|review| review.due),
        ..Row::default()
    }
}

/// What happens when somebody comes into a state.
const fn turns_to(state: State) -> &'static str {
    match state {
        State::Active => "starts",
        State::Terminated => "leaves",
        State::PreHire => "between two employments",
        State::Leave => "on leave",
        State::Suspended => "suspended",
        State::OutOfScope => "out of scope",
        State::Unknown => "cannot be told",
    }
}

/// Without name and address.
pub fn masked(row: Row) -> Row {
    Row { name: None, address: None, ..row }
}

/// A column: its name, whether only the wide table has it, and what stands in it.
type Column = (&'static str, bool, fn(&Row) -> String);

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn whole_seconds(at: Option<Timestamp>) -> String {
    at.map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// Columns of movers, which stand in the wide table and in that of movers.
const MOVED: &str = "MOVED";
const MOVED_AT: &str = "MOVED AT";
const REVIEW_DUE: &str = "REVIEW DUE";
const MOVERS: [&str; 3] = [MOVED, MOVED_AT, REVIEW_DUE];
/// Column of what HR and a directory say differently.
const FINDING: &str = "FINDING";

/// How long after it took effect a source reported an exit: days, or hours where it was less than a day; nothing where it was on time.
pub(super) fn late((effective, seen): (Timestamp, Timestamp)) -> String {
    let hours = seen.duration_since(effective).as_hours();
    match hours {
        ..1 => String::new(),
        1..24 => format!("{hours}h"),
        _ => format!("{}d", hours / 24),
    }
}

/// All there are; names are left out of tables in which nobody has one.
const COLUMNS: [Column; 27] = [
    ("PERSON", false, |row| row.person.clone()),
    ("HR RECORDS", false, |row| row.records.join(" ")),
    ("NAME", false, |row| row.name.clone().unwrap_or_default()),
    ("ADDRESS", false, |row| row.address.clone().unwrap_or_default()),
    ("STATE", false, |row| row.state.clone()),
    ("WHY", true, |row| row.why.clone()),
    ("SINCE", true, |row| whole_seconds(row.since)),
    ("SEEN", true, |row| whole_seconds(row.seen)),
    ("HR LATE", true, |row| row.effective.zip(row.seen).map(late).unwrap_or_default()),
    ("FIRST DAY", false, |row| text(row.first_day)),
    ("LAST DAY", false, |row| text(row.last_day)),
    ("TIME ZONE", true, |row| row.time_zone.clone()),
    ("POLICY", true, |row| row.policy.clone()),
    ("ACCESS", false, |row| row.access.clone()),
    ("REMAINING", true, |row| if row.access.is_empty() { String::new() } else { row.remaining.to_string() }),
    ("REVOCATION", true, |row| row.revocation.clone()),
    ("NEXT", false, |row| row.next.clone()),
    ("WHEN", false, |row| whole_seconds(row.next_at)),
    ("WAITS FOR", true, |row| row.waits_for.clone()),
    (MOVED, true, |row| row.moved.clone()),
    (MOVED_AT, true, |row| whole_seconds(row.moved_at)),
    (REVIEW_DUE, true, |row| whole_seconds(row.review_due)),
    ("ACCOUNT", true, |row| row.account.clone()),
    ("LAST SIGN-IN", true, |row| row.last_sign_in.clone()),
    ("MFA", true, |row| row.mfa_enrolled.clone()),
    ("SSO", true, |row| row.sso.clone()),
    (FINDING, true, |row| row.finding.clone()),
];

fn table(rows: &[Row], wide: bool, more: &[&str]) -> String {
    let asked = |name: &str| more.contains(&name);
    let named = |name: &str| !matches!(name, "NAME" | "ADDRESS") || rows.iter().any(|row| row.name.is_some());
    let in_table = |name: &str, only_wide: bool| (wide || !only_wide || asked(name)) && named(name);
    let shown: Vec<_> = COLUMNS.iter().filter(|(name, only_wide, _)| in_table(name, *only_wide)).collect();
    let head = shown.iter().map(|(name, ..)| (*name).to_owned()).collect();
    columns(head, rows.iter().map(|row| shown.iter().map(|(.., of)| of(row)).collect()))
}

fn csv(rows: &[Row]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().map(|(name, ..)| name)).map_err(unwritable)?;
    for row in rows {
        writer.write_record(COLUMNS.iter().map(|(.., of)| harmless(&of(row)))).map_err(unwritable)?;
    }
    let bytes = writer.into_inner().map_err(unwritable)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;

//! The ways in which a source lies, for each kind of source: nobody changes, and the reason says which lie it was. The table
//! of `docs/trusting.md` is this one.
//!
//! From the response through the trust gate to the roster, as sync does it, without a cluster. After each lie somebody truly
//! leaves, and that person alone has left.

mod files;

use std::collections::BTreeSet;

use domain::lifecycle::State;
use domain::roster::{self, Access, Baseline, KnownPerson, Rules, TrustedResponse};
use domain::timezone::Zones;
use domain::trust::{Believed, Bounds, Memory, PollContext, failed, judge};
use hris::definition::Paging;
use jiff::Timestamp;

use self::files::{employees, sheet};
use super::*;

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// Nobody, with status 200; a file with its header alone.
    Empty,
    /// A part is refused with 403.
    Forbidden,
    LostPage,
    /// It ends in the middle.
    CutOff,
    /// Half of it is there, in whole records.
    HalfWritten,
    WrongFilter,
    /// It is of before the last one.
    Stale,
    /// As many people of another company.
    OtherTenant,
    /// A column moved by a row.
    ShiftedColumn,
}

const LIES: [Lie; 9] = [
    Lie::Empty,
    Lie::Forbidden,
    Lie::LostPage,
    Lie::CutOff,
    Lie::HalfWritten,
    Lie::WrongFilter,
    Lie::Stale,
    Lie::OtherTenant,
    Lie::ShiftedColumn,
];

/// What comes of a lie.
#[derive(Clone, Copy, Debug)]
enum Cell {
    /// Nobody changes, and this is the reason.
    Held(&'static str),
    /// Such a source cannot lie so, and why.
    Cannot(&'static str),
}

use Cell::{Cannot, Held};

/// A kind of source: its name, how its list is paged or where its file lies, and what comes of each lie, in the order of `LIES`. A row that lacks a
/// cell does not compile.
type Kind = (&'static str, &'static str, [Cell; LIES.len()]);

const ONE_PAGE: Cell = Cannot("one page cannot lose another");
const MADE_ANEW: Cell = Cannot("an API makes a response for each request");
const BY_NAME: Cell = Cannot("the records of an API name their fields");
const EXPORT: &str = "export";

/// Every kind of API.
const APIS: [Kind; 9] = [
    ("API, one page", "", api("Empty", ONE_PAGE)),
    ("API, pages to an empty one", "{page: {query: page, from: 1, ends: empty}}", api("Empty", Held("Shrunk"))),
    (
        "API, pages to a short one",
        "{page: {query: page, size: 10, from: 1, ends: short}}",
        api("Empty", Held("Shrunk")),
    ),
    ("API, pages to a total", "{page: {query: page, from: 1, ends: total}}", api("Truncated", Held("Truncated"))),
    ("API, offset", "{offset: {query: offset, ends: empty}}", api("Empty", Held("Shrunk"))),
    ("API, cursor", "{cursor: {at: next, query: cursor}}", api("Empty", Held("Shrunk"))),
    ("API, next link", "{nextLink: next}", api("Empty", Held("Shrunk"))),
    ("API, query of a next link", "{nextQuery: next}", api("Empty", Held("Shrunk"))),
    ("API, a list that is made first", EXPORT, api("Empty", Held("Shrunk"))),
];

const fn api(empty: &'static str, lost_page: Cell) -> [Cell; LIES.len()] {
    [
        Held(empty),
        Held("Forbidden"),
        lost_page,
        Held("Truncated"),
        MADE_ANEW,
        Held("Shrunk"),
        Held("LeaversChanged"),
        Held("IdsReassigned"),
        BY_NAME,
    ]
}

/// A CSV file: given, behind a URL, and delivered to an SFTP server.
const FILES: [Kind; 3] = [
    ("CSV file in a ConfigMap", "fetched", file(WHOLE, Held("LeaversChanged"))),
    ("CSV file over HTTP", "http", file(Held("Forbidden"), Held("LeaversChanged"))),
    ("CSV file over SFTP", "sftp", file(Held("Forbidden"), Held("OlderFile"))),
];

const WHOLE: Cell = Cannot("nobody refuses a part of it");

const fn file(forbidden: Cell, stale: Cell) -> [Cell; LIES.len()] {
    [
        Held("Empty"),
        forbidden,
        Cannot("a file has no pages"),
        Held("Truncated"),
        Held("Shrunk"),
        Held("Shrunk"),
        stale,
        Held("IdsReassigned"),
        Held("AddressesMoved"),
    ]
}

const PEOPLE: usize = 60;
const PAGE: u32 = 10;
/// Who left lately, so that an older response knows it otherwise; and who leaves in the end.
const LATELY: [usize; 4] = [3, 8, 21, 34];
const LEAVES: usize = 45;

/// How a list of this kind is defined.
fn defined(paging: &str) -> String {
    if paging == EXPORT {
        return HEAD.to_owned()
            + &EXPORTS.replace("JOB", "data.id").replace("status: state", "status: state, hireDate: since");
    }
    let total = if paging.contains("total") { "  total: count\n" } else { "" };
    let paging = if paging.is_empty() { String::new() } else { format!("  paging: {paging}\n") };
    let list = format!("people:\n- request: {{path: /people}}\n  records: data\n{total}{paging}");
    let fields = "fields: {employeeId: id, fullName: name, email: email, status: state, hireDate: since}\n";
    HEAD.to_owned() + &list + fields + "statuses: {On: {means: Active}, Off: {means: Terminated}}\n"
}

/// Who is known, and what is remembered of the last trusted response.
struct Place {
    known: Vec<KnownPerson>,
    memory: Memory,
}

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn judged_by(read: Read, memory: &Memory, remembered: bool) -> Result<Believed, &'static str> {
    let bounds = Bounds::default();
    let asked = PollContext { source: "source", remembered, accepted: None, known_people: &[] };
    judge(read, memory, &asked, &bounds, now()).map_err(|held| held.findings[0].reason())
}

impl Place {
    fn new(read: Read) -> Self {
        let believed = first(read);
        let mut place = Self { known: Vec::new(), memory: believed.memory.clone() };
        place.pass("hq", Some(&believed), Baseline::Now);
        place
    }

    /// A pass over what a connection says; says who has left by it, and whom it writes.
    fn pass(&mut self, of: &str, believed: Option<&Believed>, baseline: Baseline) -> [BTreeSet<String>; 2] {
        let zones = Zones::new("Europe/Madrid", &BTreeMap::new()).unwrap();
        let rules = Rules { baseline: Box::new(|_| baseline), ..Rules::of("rollcall", "everyone", &zones) };
        let answer = believed.map(|believed| TrustedResponse {
            connection: of,
            employees: believed.snapshot.employees(),
            taken: believed.snapshot.taken(),
            part: believed.snapshot.part(),
        });
        let [mut left, mut written] = [BTreeSet::new(), BTreeSet::new()];
        for change in roster::next(&self.known, answer.as_slice(), &rules, now()).changes {
            written.insert(change.records[0].to_string());
            if change.entry.employment.state == State::Terminated {
                left.insert(change.records[0].to_string());
            }
            self.known.retain(|one| one.name != change.name);
            let (apart, declared, access) = (Vec::new(), None, Access::Stands);
            let (name, records, entry) = (change.name, change.records, Some(change.entry));
            self.known.push(KnownPerson {
                name,
                records,
                apart,
                disowned: Vec::new(),
                entry,
                declared,
                reviewed: None,
                access,
            });
        }
        [left, written]
    }

    /// A response that is no answer, or is not trusted: changes nobody. Says why it was not.
    fn lied_to(&mut self, read: Result<Read, Failure>) -> Result<&'static str, String> {
        let reason = match read.map(|read| judged_by(read, &self.memory, true)) {
            Err(failure) => failed(&failure).reason(),
            Ok(Err(reason)) => reason,
            Ok(Ok(believed)) => {
                let [left, written] = self.pass("hq", Some(&believed), Baseline::Settled);
                return Err(format!("it was trusted: {} Persons changed, {left:?} left", written.len()));
            }
        };
        let [_, written] = self.pass("hq", None, Baseline::Settled);
        if written.is_empty() { Ok(reason) } else { Err(format!("held by {reason}, and {written:?} changed")) }
    }

    /// Whoever left by a true response.
    fn leavers_of(&mut self, read: Read) -> Result<BTreeSet<String>, String> {
        let believed = judged_by(read, &self.memory, true).map_err(|why| format!("the truth was held by {why}"))?;
        let [left, _] = self.pass("hq", Some(&believed), Baseline::Settled);
        Ok(left)
    }
}

fn first(read: Read) -> Believed {
    judged_by(read, &Memory::fresh(&[7; 32]), false).unwrap()
}

/// Whoever is made to leave in the end, as one record of that connection.
fn who_leaves(connection: &str) -> BTreeSet<String> {
    BTreeSet::from([format!("{connection}/{}", Company::id(LEAVES))])
}

/// What a source of one kind says: the truth, each lie, and the truth after somebody left.
struct Answers {
    truth: Read,
    lies: Vec<(Lie, Result<Read, Failure>)>,
    after: Read,
}

impl Answers {
    async fn of_file(place: &files::Place) -> Self {
        let everybody: Vec<usize> = LATELY.into_iter().chain([LEAVES]).collect();
        let mut lies = Vec::new();
        for lie in LIES {
            lies.extend(place.lie(lie).await.map(|told| (lie, told)));
        }
        let truth = place.tell(&sheet(&employees(1, &LATELY))).await.unwrap();
        Self { truth, lies, after: place.tell(&sheet(&employees(1, &everybody))).await.unwrap() }
    }

    async fn of_api(paging: &str) -> Self {
        let played = play(paging, company(PEOPLE, 1)).await;
        let mut lies = vec![(Lie::Stale, played.read().await)];
        for one in LATELY {
            leave(&played, one).await;
        }
        let truth = played.read().await.unwrap();
        let faults = [
            (Lie::Empty, "no-records@people"),
            (Lie::Forbidden, "forbidden@people:1"),
            (Lie::LostPage, "lost-page:2"),
            (Lie::CutOff, "truncated@people:1"),
        ];
        for (lie, fault) in faults {
            played.fake.bring(fault).unwrap();
            lies.push((lie, played.read().await));
            played.fake.clear_faults();
        }
        leave(&played, LEAVES).await;
        let after = played.read().await.unwrap();
        let other = play(paging, company(PEOPLE, 2)).await;
        lies.push((Lie::OtherTenant, other.read().await));
        // Of a company that leaves people out after its first response, the second.
        let shrunk = play(paging, Company { scenario: Scenario::Shrunk, ..company(PEOPLE, 1) }).await;
        let _ = shrunk.read().await;
        lies.push((Lie::WrongFilter, shrunk.read().await));
        Self { truth, lies, after }
    }

    /// One cell: the lie is told to somebody who knew the truth, and then somebody leaves.
    fn cell(&self, lie: Lie, expected: &str) -> Result<(), String> {
        let told = self.lies.iter().find(|(told, _)| *told == lie).ok_or("nobody tells this lie")?;
        let mut place = Place::new(self.truth.clone());
        let reason = place.lied_to(told.1.clone())?;
        if reason != expected {
            return Err(format!("held by {reason}, and {expected} is expected"));
        }
        let left = place.leavers_of(self.after.clone())?;
        if left == who_leaves("hq") { Ok(()) } else { Err(format!("afterwards {left:?} left")) }
    }
}

async fn play(paging: &str, company: Company) -> Played {
    let mut played = Played::of("acme-hr", &defined(paging), company, PAGE).await;
    if let Some(export) = &mut played.source.definition.people[0].export {
        export.every = 0;
    }
    played
}

async fn leave(played: &Played, number: usize) {
    let here = played.source.definition.base_url.trim_end_matches("/api");
    let order = format!("{here}/_fake/leave/{}", Company::id(number));
    let done = reqwest::Client::new().post(order).send().await.unwrap().status();
    assert!(done.is_success(), "{done}");
}

fn kinds() -> impl Iterator<Item = Kind> {
    APIS.into_iter().chain(FILES)
}

/// What is wrong with one row.
async fn wrong_with((name, paging, cells): Kind) -> Vec<String> {
    let answers = match files::Place::of(paging).await {
        Some(place) => Answers::of_file(&place).await,
        None => Answers::of_api(paging).await,
    };
    let held = LIES.into_iter().zip(cells).filter_map(|(lie, cell)| match cell {
        Held(reason) => Some((lie, reason)),
        Cannot(_) => None,
    });
    held.filter_map(|(lie, reason)| answers.cell(lie, reason).err().map(|why| format!("{name}, {lie:?}: {why}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_lies_changes_nobody_says_which_lie_it_was_and_then_a_leaver_leaves() {
    let wrong: Vec<String> = stream::iter(kinds()).then(wrong_with).flat_map(stream::iter).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The one that lies holds nobody of the other, and none of its own people changes by what the other one says.
#[tokio::test]
async fn of_two_connections_of_a_policy_one_lies_and_whoever_leaves_by_the_other_leaves() {
    let file = files::Place::Given;
    let [hq, shop] = [Answers::of_file(&file).await, Answers::of_file(&file).await];
    for (lie, told) in hq.lies {
        let (mut place, of_shop) = (Place::new(hq.truth.clone()), first(shop.truth.clone()));
        place.pass("shop", Some(&of_shop), Baseline::Now);
        place.lied_to(told).unwrap_or_else(|why| panic!("{lie:?}: {why}"));
        let after = judged_by(shop.after.clone(), &of_shop.memory, true).unwrap();
        let [left, written] = place.pass("shop", Some(&after), Baseline::Settled);
        assert_eq!([left, written], [who_leaves("shop"), who_leaves("shop")], "{lie:?}");
    }
}

#[test]
fn every_way_to_page_has_a_row() {
    let ways = |paging: &Paging| match paging {
        Paging::Cursor { .. } => "cursor",
        Paging::NextLink(_) => "next link",
        Paging::NextQuery(_) => "next query",
        Paging::Page(_) => "page",
        Paging::Offset(_) => "offset",
    };
    let mut rows = BTreeSet::new();
    for (name, paging, _) in APIS {
        let definition = Definition::parse("acme-hr", &defined(paging)).unwrap_or_else(|why| panic!("{name}: {why}"));
        rows.extend(definition.people[0].paging.as_ref().map(ways));
    }
    assert_eq!(rows.len(), 5, "{rows:?}");
}

#[test]
fn the_documentation_shows_the_table_as_it_is() {
    let page = std::fs::read_to_string(root().join("../docs/trusting.md")).unwrap();
    let mut missing = Vec::new();
    for (name, _, cells) in kinds() {
        let shown = cells.map(|cell| match cell {
            Held(reason) => format!("`{reason}`"),
            Cannot(why) => {
                missing.extend((!page.contains(why)).then(|| why.to_owned()));
                "–".to_owned()
            }
        });
        let row = format!("| {name} | {} |", shown.join(" | "));
        missing.extend((!page.contains(&row)).then_some(row));
    }
    assert!(missing.is_empty(), "docs/trusting.md lacks:\n{}", missing.join("\n"));
}

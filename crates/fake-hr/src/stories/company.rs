//! A generated company, played by every connector of the catalogue: what is read is the company, no more and no less.

mod lies;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::catalogue::{folders, root};
use super::*;
use crate::conformance::{Reader, faults, judged, plainly};
use crate::faults::{Fault, Kind, RequestKind};
use crate::solver::SIGNED_IN;
use crate::{Company, Fake, Moment, Person, Scenario, Setup, reading, rewritten, source};
use domain::account::{self, Fact, Said};
use domain::employee::{Employee, Failure, HrId, Manager, Read, ReportedStatus, Status, Text, Texts};
use domain::needs::Needs;
use hris::row::Slot;
use hris::{ApiSource, definition, engine};

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name).join("connector.yaml")).unwrap()
}

/// A definition whose pages are made small, and that is never waited for.
fn small(file: &str, text: &str, page: u32) -> Definition {
    let mut definition = Definition::parse(file, text).unwrap();
    definition.throttling.rate = None;
    let joined = definition.joins.values_mut().map(|join| &mut join.list);
    let looked_up = definition.lookups.values_mut().map(|lookup| &mut lookup.list);
    for list in definition.people.iter_mut().chain(joined).chain(looked_up) {
        if let Some(definition::Paging::Page(step) | definition::Paging::Offset(step)) = &mut list.paging {
            step.size = step.size.map(|_| page);
        }
    }
    definition
}

fn company(people: usize, seed: u64) -> Company {
    Company { seed, people, scenario: Scenario::Quiet, first: TODAY }
}

/// Where a definition has a place for something and cannot say it together with the rest, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("nmbrs", "employmentType", "the word for it is the one for the status, which there must be for everybody")];

/// A company that is played, until it is dropped.
struct Played {
    definition: Definition,
    company: Company,
    fake: Fake,
    source: ApiSource,
    reader: Reader,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for Played {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Played {
    /// Plays a connector of the catalogue; what reads it is what `fake-hr` writes down for it.
    async fn new(name: &str, company: Company, page: u32) -> Self {
        Self::of(name, &text(name), company, page).await
    }

    async fn of(name: &str, text: &str, company: Company, page: u32) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let definition = small(name, text, page);
        let setup = Setup { definition, parameters: BTreeMap::new(), company, page: Some(page as usize), here };
        let fake = Fake::new(&setup, Box::new(|| TODAY), Box::new(|_| {}));
        let fake = fake.unwrap_or_else(|why| panic!("{name}: {why}"));
        let serving = tokio::spawn(fake.clone().serve(listener));
        let (mut source, reader) = (source(&setup).unwrap(), Reader::new(&setup.definition).unwrap());
        let written = serde_saphyr::to_string(&rewritten(text, &setup.here).unwrap()).unwrap();
        source.definition = small(name, &written, page);
        source.parameters.retain(|parameter, _| source.definition.parameters.contains_key(parameter));
        engine::check(&source).unwrap();
        Self { reader, definition: setup.definition, company, fake, source, serving }
    }

    async fn read(&self) -> Result<Read, Failure> {
        self.reader.read(&self.source, LONG, TODAY).await
    }
}

/// What an answer has to say of somebody; none, where the source does not list them.
fn expected(definition: &Definition, company: &Company, person: &Person) -> Option<Employee> {
    let offered = definition.offered();
    let offers = |slot: Slot| offered.contains(&slot);
    let meanings = definition.statuses.values().map(|rule| rule.means);
    // Everybody of a company has a first day.
    let start = definition.fields.get(&Slot::HireDate).map(|value| &value.paths);
    let startless = |(input, test): (&String, &definition::Test)| {
        *test == definition::Test::Empty && definition.inputs.get(input).map(|value| &value.paths) == start
    };
    let rules = definition.rules.iter().filter(|rule| !rule.when.iter().any(startless));
    let meanings: Vec<Status> = meanings.chain(rules.map(|rule| rule.means)).collect();
    let ends = offers(Slot::TerminationDate) || offers(Slot::LastWorkingDay);
    let reported_status = match person.status {
        Status::Terminated if !offers(Slot::Status) && !ends => return None,
        _ if !offers(Slot::Status) => ReportedStatus::Silent,
        status if meanings.contains(&status) => ReportedStatus::Mapped(status),
        Status::Terminated => return None,
        _ => ReportedStatus::Mapped(Status::Active),
    };
    // Of people whom the status does not call leavers, an end date that needs more than itself is not read.
    let ends = ends
        && (definition.end_date_when.is_empty()
            || matches!(reported_status, ReportedStatus::Mapped(Status::Terminated) | ReportedStatus::Silent));
    let mut texts = Texts::default();
    for text in Text::ALL.iter().copied().filter(|text| offers(text.slot())) {
        texts.set(text, Some(person.text(text).into()));
    }
    let name = definition.fields.get(&Slot::FullName);
    let joined = definition.joins.values().find_map(|join| join.fields.get(&Slot::FullName));
    let detailed = definition.details.values().find_map(|detail| detail.fields.get(&Slot::FullName));
    let name = name.or(joined).or(detailed).unwrap();
    let with = if name.first || name.paths.len() == 1 { " " } else { &name.with };
    let manager = person.manager.filter(|_| offers(Slot::ManagerId) || offers(Slot::ManagerEmail));
    let manager = manager.map(|manager| match offers(Slot::ManagerId) {
        true => Manager::Id(HrId(Company::id(manager))),
        false => Manager::Email(company.email(manager)),
    });
    let id = HrId(Company::id(person.number));
    let name = format!("{}{with}{}", person.first, person.last);
    let who = Employee::new(id, name, company.email(person.number), reported_status);
    Some(Employee {
        start: offers(Slot::HireDate).then_some(person.start),
        last_day: person.last_day.filter(|_| ends),
        contract_end: person.contract_end.filter(|_| offers(Slot::ContractEnd)),
        urgent: person.urgent && person.status == Status::Terminated && !definition.urgent_reasons.is_empty(),
        employment_type: definition.types.values().find(|kind| **kind == person.kind).copied(),
        texts,
        manager,
        account: account(&offered),
        ..who
    })
}

/// What is said of everybody's account.
fn account(offered: &BTreeSet<Slot>) -> Option<Box<Said>> {
    let mut said = Said::default();
    for fact in Fact::ALL.into_iter().filter(|fact| offered.contains(&fact.slot())) {
        let value =
            if fact == Fact::LastSignIn { account::Value::from_stored(SIGNED_IN) } else { Some(account::Value::Yes) };
        said.set(fact, value);
    }
    (!said.is_empty()).then(|| Box::new(said))
}

/// What an answer says otherwise than the company.
fn differences(definition: &Definition, company: &Company, read: &Read) -> Vec<String> {
    let moment = Moment { today: TODAY, day: 0, answers: 0, made_to_leave: [].into() };
    let people = (0..company.numbers(&moment)).filter_map(|number| company.person(number, &moment));
    let expected: BTreeMap<_, _> = people
        .filter_map(|person| expected(definition, company, &person))
        .map(|one| (one.work_email.clone(), one))
        .collect();
    let found: BTreeMap<_, _> = read.employees.iter().map(|one| (one.work_email.clone(), one.clone())).collect();
    let mut wrong: Vec<_> = read.bad.iter().map(|bad| format!("set aside: {}", bad.reason)).collect();
    wrong.extend((found.len() != read.employees.len()).then(|| "somebody is there twice".to_owned()));
    for (email, one) in &expected {
        match found.get(email) {
            None => wrong.push(format!("missing: {}", plainly(one))),
            Some(found) => {
                let (wanted, found) = (plainly(one), plainly(found));
                wrong.extend((found != wanted).then(|| format!("{found}\n       is not {wanted}")));
            }
        }
    }
    wrong.extend(
        found
            .iter()
            .filter(|(email, _)| !expected.contains_key(*email))
            .map(|(_, one)| format!("nobody: {}", plainly(one))),
    );
    wrong
}

/// What is wrong with how a connector reads generated companies.
async fn wrong_with(name: String) -> Vec<String> {
    for (people, page, seed) in [(0, 7, 1), (1, 7, 2), (14, 7, 3), (113, 11, 4)] {
        let played = Played::new(&name, company(people, seed), page).await;
        let wrong = match played.read().await {
            Ok(read) => differences(&played.definition, &played.company, &read),
            Err(failure) => vec![format!("{failure:?}")],
        };
        if !wrong.is_empty() {
            let shown = wrong.iter().take(3).map(|why| format!("\n    {why}")).collect::<String>();
            return vec![format!("{name}, {people} people: {:?}{shown}", played.fake.unsaid())];
        }
    }
    let played = Played::new(&name, company(113, 4), 11).await;
    let open = played.fake.unsaid().iter().filter(|unsaid| unsaid.contains("not said of everybody"));
    let known = |unsaid: &&String| EXCEPTIONS.iter().any(|(one, what, _)| *one == name && unsaid.contains(what));
    open.filter(|unsaid| !known(unsaid)).map(|unsaid| format!("{name}: {unsaid}")).collect()
}

/// Who is read where a policy keeps as little as it can, and where it keeps one thing of those that can be left out.
async fn wrong_with_less(name: String) -> Vec<String> {
    let whole = small(&name, &text(&name), 11);
    let mut wrong = Vec::new();
    for kept in [None].into_iter().chain(whole.requested.keys().map(Some)) {
        let mut played = Played::new(&name, company(30, 5), 11).await;
        let mut needs = Needs::default();
        kept.into_iter().for_each(|field| needs.ask("everyone", "spec.fields", [field.as_str()]));
        played.source.definition.keep_to(&needs);
        let read = played.read().await.map(|read| {
            let ids = |all: &mut dyn Iterator<Item = String>| all.collect::<BTreeSet<String>>();
            let moment = Moment { today: TODAY, day: 0, answers: 0, made_to_leave: [].into() };
            let people = (0..played.company.numbers(&moment)).filter_map(|at| played.company.person(at, &moment));
            let people = people.filter_map(|person| expected(&whole, &played.company, &person));
            ids(&mut read.employees.iter().map(|one| one.id.0.clone())) == ids(&mut people.map(|one| one.id.0))
        });
        wrong.extend((read != Ok(true)).then(|| format!("{name}, of what is optional {kept:?}: {read:?}")));
    }
    wrong
}

#[tokio::test]
async fn a_fake_answers_what_asks_for_less() {
    let optional = folders().into_iter().filter(|name| !small(name, &text(name), 11).requested.is_empty());
    let names: Vec<String> = optional.collect();
    assert!(names.len() > 5, "{names:?}");
    let wrong: Vec<Vec<String>> = stream::iter(names).map(wrong_with_less).buffer_unordered(AT_ONCE).collect().await;
    assert!(wrong.concat().is_empty(), "{}", wrong.concat().join("\n"));
}

/// Whether a request with a wrong key gets anything.
async fn given_to_strangers(name: String) -> Vec<String> {
    let played = Played::new(&name, company(3, 1), 7).await;
    let mut wrong = Vec::new();
    for key in played.source.definition.credentials.keys() {
        let other = |known: &str| if known == key { "another".to_owned() } else { format!("fake-{known}") };
        let (definition, parameters) = (played.source.definition.clone(), played.source.parameters.clone());
        let read = played.reader.read(&reading(definition, parameters, other), LONG, TODAY).await;
        if !matches!(read, Err(Failure::Unauthorised(_))) {
            wrong.push(format!("{name}, {key}: {read:?}"));
        }
    }
    wrong
}

/// Which faults of its pages a connector takes otherwise than it should.
async fn faults_of(name: String) -> Vec<String> {
    let played = Played::new(&name, company(37, 5), 10).await;
    let Ok(good) = played.read().await else { return Vec::new() }; // that is the other story's
    let of_pages = [Kind::LostPage, Kind::RepeatedPage, Kind::Circle, Kind::Total, Kind::OtherHost, Kind::NoRecords];
    let of_pages = |fault: &Fault| of_pages.contains(&fault.kind); // the others are tried with recorded pages
    let mut wrong = Vec::new();
    let heard = played.fake.heard();
    let pages = heard.iter().filter(|part| **part == RequestKind::People(0)).count();
    for fault in faults(&played.definition, &heard, pages).into_iter().filter(of_pages) {
        played.fake.bring(&fault.to_string()).unwrap();
        let read = played.read().await;
        played.fake.clear_faults();
        wrong.extend(judged(&played.definition, &fault, &good, &read).err().map(|why| format!("{name}: {why}")));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connector_reads_a_generated_company_as_it_is() {
    let wrong = of_each_connector(wrong_with).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_in_the_pages_of_a_company_ends_in_a_wrong_or_missing_employee() {
    let wrong = of_each_connector(faults_of).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_company_is_told_from_another() {
    let played = Played::new("bamboohr", company(14, 1), 7).await;
    let read = played.read().await.unwrap();
    assert!(differences(&played.definition, &company(14, 1), &read).is_empty());
    for other in [company(14, 2), company(13, 1), company(15, 1)] {
        assert!(!differences(&played.definition, &other, &read).is_empty());
    }
}

#[tokio::test]
async fn what_happens_to_a_company_is_read_at_its_time() {
    let left = |read: &Read| {
        read.employees.iter().filter(|one| one.reported_status == ReportedStatus::Mapped(Status::Terminated)).count()
    };
    let company = Company { scenario: Scenario::Leaver, ..company(40, 1) };
    let played = Played::new("hibob", company, 100).await;
    let first = played.read().await.unwrap();
    for _ in 0..2 {
        assert_eq!(left(&played.read().await.unwrap()), left(&first) + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fake_gives_nothing_to_a_request_with_another_key() {
    let wrong = of_each_connector(given_to_strangers).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with any connector of the catalogue, a few side by side.
async fn of_each_connector<W>(wrong: impl Fn(String) -> W) -> Vec<String>
where
    W: Future<Output = Vec<String>> + Send + 'static,
{
    let each = stream::iter(folders()).map(|name| tokio::spawn(wrong(name)));
    each.buffer_unordered(AT_ONCE).flat_map(|found| stream::iter(found.unwrap())).collect().await
}

/// What a definition begins with.
const HEAD: &str = r"
name: acme-hr
title: Acme HR
evidence: partial
sources: [https://hr.example.com/docs]
setup: Make a key.
baseUrl: https://hr.example.com/api
credentials: {key: a key}
auth: {headers: {Authorization: 'Key {key}'}}
";

const EXPORTS: &str = r"
people:
- request: {path: '/exports/{job}/file', query: {part: '{job}'}}
  records: data
  paging: {page: {query: page, from: 1, ends: empty}}
  export:
    start: {path: /people/exports, search: {page: 'https://hr.example.com/docs', body: {all: true}}}
    job: JOB
    poll: {path: '/exports/{job}'}
    done: {path: state, is: [DONE]}
fields: {employeeId: id, fullName: name, email: email, status: state}
statuses: {On: {means: Active}, Off: {means: Terminated}}
";

#[tokio::test]
async fn a_list_that_is_made_first_is_played_too() {
    for job in ["data.id", "{header: Location}"] {
        let text = HEAD.to_owned() + &EXPORTS.replace("JOB", job);
        let mut played = Played::of("exports", &text, company(23, 1), 10).await;
        played.source.definition.people[0].export.as_mut().unwrap().every = 0;
        let read = played.read().await.unwrap();
        assert_eq!(differences(&played.definition, &played.company, &read), Vec::<String>::new(), "{job}");
        let heard = played.fake.heard();
        assert_eq!(heard.iter().filter(|part| **part == RequestKind::Export).count(), 2, "{job}");
        for fault in ["html@exports:1", "truncated@exports:2", "empty@exports:2", "forbidden@exports:1"] {
            played.fake.bring(fault).unwrap();
            assert!(played.read().await.is_err(), "{fault}");
            played.fake.clear_faults();
        }
    }
}

const TOGETHER: &str = r"
people: [{request: {path: /people}, records: data}]
details:
  jobs:
    request: {path: /jobs/search, search: {page: 'https://hr.example.com/docs', body: {of: ['{of}']}}}
    of: id
    records: jobs
    together: {most: 10, key: person}
    fields: {status: state, hireDate: since, department: department}
fields: {employeeId: id, fullName: name, email: email}
statuses: {On: {means: Active}, Off: {means: Terminated}}
";

#[tokio::test]
async fn many_people_are_asked_about_at_once() {
    let played = Played::of("together", &(HEAD.to_owned() + TOGETHER), company(23, 1), 100).await;
    let read = played.read().await.unwrap();
    assert_eq!(differences(&played.definition, &played.company, &read), Vec::<String>::new());
    let asked = || played.fake.heard().iter().filter(|part| **part == RequestKind::Detail("jobs".to_owned())).count();
    assert_eq!(asked(), 3);
    played.fake.bring("no-records@details:2").unwrap();
    let read = played.read().await.unwrap();
    let unknown = read.employees.iter().filter(|one| one.reported_status == ReportedStatus::Unmapped).count();
    assert_eq!((asked(), unknown), (6, 10), "a person who is missing from the response is not known to have left");
}

#[tokio::test]
async fn a_company_can_be_told_what_happens_next() {
    let played = Played::new("hibob", company(40, 1), 100).await;
    let here = played.source.definition.base_url.clone();
    let order = |order: &str| {
        let request = reqwest::Client::new().post(format!("{here}/_fake/{order}"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let left = |read: Read| {
        read.employees.iter().filter(|one| one.reported_status == ReportedStatus::Mapped(Status::Terminated)).count()
    };
    let before = left(played.read().await.unwrap());
    assert_eq!(order(&format!("leave/{}", Company::id(1))).await, 200);
    assert_eq!(left(played.read().await.unwrap()), before + 1);
    assert_eq!(order("fault/forbidden").await, 200);
    assert_eq!(played.read().await.map(|_| ()), Err(Failure::Forbidden));
    assert_eq!(order("fault/none").await, 200);
    assert_eq!(order("day").await, 200);
    assert!(played.read().await.is_ok());
    for wrong in ["leave/nobody", "fault/nothing", "night"] {
        assert_eq!(order(wrong).await, 400, "{wrong}");
    }
}

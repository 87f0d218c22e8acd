//! Which faults are tried, and how a read with each of them has to end.

use std::collections::BTreeMap;

use super::found;
use crate::faults::{Fault, Kind, RequestKind};
use crate::signin;
use domain::employee::{Employee, Failure, Read, ReportedStatus, Status};
use domain::trust::failed;
use hris::definition::{Definition, Paging};

/// Every fault that a definition can have, in the places where it can come.
/// `pages` is how many pages of people can be lost or given twice.
pub(crate) fn faults(definition: &Definition, heard: &[RequestKind], pages: usize) -> Vec<Fault> {
    let mut all = Vec::new();
    let people: Vec<_> = heard.iter().filter(|part| matches!(part, RequestKind::People(_))).collect();
    let first = heard.iter().filter(|part| **part == RequestKind::People(0)).count();
    for (part, number) in places(heard) {
        let mut kinds = vec![
            Kind::Throttled,
            Kind::ThrottledForEver,
            Kind::Empty,
            Kind::Forbidden,
            Kind::Html,
            Kind::Cut,
            Kind::Drip,
            Kind::Oversized,
            Kind::Redirect,
        ];
        kinds.extend((part != RequestKind::Token).then_some(Kind::Expired));
        let own = &definition.throttling;
        let own = own.code.is_some() || own.reset.is_some() || !own.statuses.is_empty();
        kinds.extend(own.then_some(Kind::ThrottledInItsWay));
        kinds.extend(
            matches!(part, RequestKind::People(_) | RequestKind::Join(_) | RequestKind::Detail(_))
                .then_some(Kind::NoRecords),
        );
        let at = |kind| Fault { kind, part: Some(part.word().to_owned()), number: Some(number) };
        all.extend(kinds.into_iter().map(at));
    }
    let of_page = |kind, page| Fault { kind, part: Some("people".to_owned()), number: Some(page) };
    // Of the last pages one may be short and one empty: then it is not a page twice, but somebody twice.
    let whole = first.saturating_sub(2).max(1);
    for page in [1, whole] {
        all.extend((pages > 1).then(|| of_page(Kind::RepeatedPage, page)));
    }
    for page in [1, first / 2 + 1, first] {
        all.extend((pages > 1).then(|| of_page(Kind::LostPage, page)));
    }
    let list = definition.people.first();
    let leads = list.and_then(|list| list.paging.as_ref());
    if list.is_some_and(|list| list.total.is_some()) && first > 1 {
        all.extend([2, first].map(|page| of_page(Kind::Total, page)));
    }
    if matches!(leads, Some(Paging::Cursor { .. } | Paging::NextLink(_) | Paging::NextQuery(_))) && first > 2 {
        all.push(of_page(Kind::Circle, 2));
    }
    if matches!(leads, Some(Paging::NextLink(_))) && people.len() > 1 && first > 1 {
        all.push(of_page(Kind::OtherHost, 1));
    }
    let offered = definition.offered();
    all.extend(offered.into_iter().map(|slot| Fault { kind: Kind::Gone(slot), part: None, number: None }));
    all.dedup();
    all
}

/// The first, a middle and the last request of every kind, each with its number among those of its part.
fn places(heard: &[RequestKind]) -> Vec<(RequestKind, usize)> {
    let mut all: BTreeMap<&RequestKind, Vec<usize>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in heard.iter().filter(|part| **part != RequestKind::Unknown) {
        let count = counts.entry(part.word()).or_default();
        *count += 1;
        all.entry(part).or_default().push(*count);
    }
    let mut places = Vec::new();
    for (part, numbers) in all {
        let picked = [numbers.first(), numbers.get(numbers.len() / 2), numbers.last()];
        let mut picked: Vec<usize> = picked.into_iter().flatten().copied().collect();
        picked.dedup();
        places.extend(picked.into_iter().map(|number| (part.clone(), number)));
    }
    places
}

/// How a read with a fault has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As without it.
    Fine,
    /// In a failure of one of these kinds.
    Fails(&'static [&'static str]),
    /// As without it, but for what is said of accounts.
    Unsaid,
    /// In a failure, or in nothing that is not true: some may be missing, or less be said of them.
    Less,
}

impl End {
    fn words(self) -> String {
        match self {
            Self::Fine => "what it reads without the fault".to_owned(),
            Self::Fails(kinds) => kinds.join(" or "),
            Self::Unsaid => "what it reads without the fault, but for accounts".to_owned(),
            Self::Less => "a failure, or in less".to_owned(),
        }
    }
}

fn end(definition: &Definition, fault: &Fault) -> End {
    let token = fault.part.as_deref() == Some("token");
    let detail = fault.part.as_deref() == Some("details");
    let further = fault.part.as_deref() == Some("joins");
    let export = fault.part.as_deref() == Some("exports");
    match fault.kind {
        Kind::Throttled | Kind::ThrottledInItsWay => End::Fine,
        Kind::Expired if definition.auth.token.is_some() => End::Fine,
        Kind::Expired => End::Fails(&["Unauthorised"]),
        Kind::ThrottledForEver => End::Fails(&["Throttled"]),
        Kind::LostPage | Kind::NoRecords => End::Less,
        Kind::RepeatedPage | Kind::Circle | Kind::Total => End::Fails(&["Truncated"]),
        Kind::Empty if detail => End::Less, // nothing is said of one person
        Kind::Empty | Kind::Html => End::Fails(&["WrongFormat"]),
        Kind::Forbidden if token => End::Fails(&["Unauthorised"]),
        Kind::Forbidden if further && definition.joins.values().all(|join| join.may_be_refused) => End::Unsaid,
        Kind::Forbidden => End::Fails(&["Forbidden"]),
        // Pages of records that all say nothing are one page given twice.
        Kind::Gone(slot) if definition.required.contains(&slot) => End::Fails(&["WrongColumns", "Truncated"]),
        Kind::Gone(_) => End::Less,
        Kind::Cut if token || export => End::Fails(&["WrongFormat"]),
        Kind::Cut => End::Fails(&["Truncated"]),
        Kind::Drip => End::Fails(&["TimedOut"]),
        Kind::Oversized => End::Fails(&["TooLarge"]),
        Kind::Redirect | Kind::OtherHost => End::Fails(&["AddressRefused"]),
    }
}

/// Whether a read with a fault ended as it should.
///
/// # Errors
/// In words, what it ended in instead.
pub(crate) fn judged(
    definition: &Definition,
    fault: &Fault,
    good: &Read,
    read: &Result<Read, Failure>,
) -> Result<(), String> {
    let wanted = end(definition, fault);
    let fine = match (wanted, read) {
        (End::Fine, Ok(read)) => found(read) == found(good),
        (End::Fails(kinds), Err(failure)) => kinds.contains(&failed(failure).reason()),
        (End::Unsaid, Ok(read)) => !read.unread.is_empty() && without_accounts(read) == without_accounts(good),
        (End::Less, Err(_)) => true,
        (End::Less, Ok(read)) => less(read, good),
        _ => false,
    };
    let ended = match read {
        Ok(read) => found(read).to_string(),
        Err(failure) => told(failure),
    };
    let tells = [signin::credential(""), "example.com/".to_owned()].iter().any(|secret| ended.contains(secret))
        && read.is_err();
    if tells {
        return Err(format!("{fault}: reports more than it may: {ended}"));
    }
    if fine { Ok(()) } else { Err(format!("{fault}: should end in {}, and ends in {ended}", wanted.words())) }
}

/// What a read found, without what it says of accounts.
fn without_accounts(read: &Read) -> serde_json::Value {
    let mut read = read.clone();
    read.employees.iter_mut().for_each(|one| one.account = None);
    found(&read)
}

/// Whether one answer says nothing that the other does not: people may be missing, but where the source counts, that
/// shows; nobody has left who has not.
fn less(read: &Read, good: &Read) -> bool {
    let people = read.employees.len() + read.bad.len();
    let shows = people == good.employees.len() + good.bad.len() || read.announced_total != Some(people);
    // Whoever was set aside for a value that is gone is set aside no longer.
    let known = |one: &&Employee| good.employees.iter().any(|other| other.id == one.id);
    let strangers = read.employees.iter().filter(|one| !known(one)).count();
    let fits =
        |one: &Employee| good.employees.iter().filter(|other| other.id == one.id).all(|other| says_less(one, other));
    shows && strangers <= good.bad.len() && read.employees.iter().all(fits)
}

/// Whether nothing ends by what is said of somebody that would not end by all of it. Other values may be gone, or stand
/// for one that is.
fn says_less(one: &Employee, other: &Employee) -> bool {
    let gone = ReportedStatus::Mapped(Status::Terminated);
    let no_sooner = match (one.last_day, other.last_day) {
        (None, _) => true,
        (Some(one), Some(other)) => one >= other,
        (Some(_), None) => false,
    };
    (one.reported_status == other.reported_status || one.reported_status != gone)
        && no_sooner
        && (!one.urgent || other.urgent)
}

/// A failure in words: its reason, and what was seen.
pub(crate) fn told(failure: &Failure) -> String {
    let finding = failed(failure);
    format!("{}: {}", finding.reason(), finding.message())
}

//! Scope: which of the people a source names a policy is about.
//!
//! Being out of scope says nothing of anybody's employment, and ends nobody's access: the roster sees to that. What
//! cannot be told is out, with that reason, and never guessed. Pure: values in, decision out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::employee::{self, Employee, EmploymentType, HrId, ReportedStatus, Text};
use super::expression::Expression;
pub use super::expression::Refused;
use super::lifecycle::State;

/// What people are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The company that employs them.
    LegalEntity,
    /// Kind of employment.
    EmploymentType,
    /// Department.
    Department,
    /// Team.
    Team,
    /// Location.
    Location,
    /// Who they are.
    Person,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::LegalEntity, Self::EmploymentType, Self::Department, Self::Team, Self::Location, Self::Person];

    /// What it is called in a sentence, and the field of the policy that lists it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::LegalEntity => ("legal entity", "legalEntities"),
            Self::EmploymentType => ("employment type", "employmentTypes"),
            Self::Department => ("department", "departments"),
            Self::Team => ("team", "teams"),
            Self::Location => ("location", "locations"),
            Self::Person => ("person", "people"),
        }
    }
}

impl Kind {
    /// What it is called in an expression; none of who they are.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::LegalEntity => Some("legalEntity"),
            Self::EmploymentType => Some("employmentType"),
            Self::Department => Some("department"),
            Self::Team => Some("team"),
            Self::Location => Some("location"),
            Self::Person => None,
        }
    }
}

/// Why somebody is out of scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Out {
    /// Listed among those left out.
    Excluded(Kind),
    /// Not listed among those included.
    NotIncluded(Kind),
    /// The source says nothing of what is filtered by, or nothing that was mapped.
    Unknown(Kind),
    /// The expression says no.
    NotSelected,
    /// The expression fails for them.
    ExpressionFailed,
    /// No answer has named them since the policy changed, so nobody can tell.
    NotNamed,
    /// A reason of a later version.
    Other,
}

impl Out {
    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        let listed = |of: fn(Kind) -> Self| Kind::ALL.into_iter().map(of);
        let others = [Self::NotSelected, Self::ExpressionFailed, Self::NotNamed, Self::Other];
        listed(Self::Excluded).chain(listed(Self::NotIncluded)).chain(listed(Self::Unknown)).chain(others)
    }

    /// The word under which it is stored and counted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Excluded(Kind::LegalEntity) => "legalEntityExcluded",
            Self::Excluded(Kind::EmploymentType) => "employmentTypeExcluded",
            Self::Excluded(Kind::Department) => "departmentExcluded",
            Self::Excluded(Kind::Team) => "teamExcluded",
            Self::Excluded(Kind::Location) => "locationExcluded",
            Self::Excluded(Kind::Person) => "personExcluded",
            Self::NotIncluded(Kind::LegalEntity) => "legalEntityNotIncluded",
            Self::NotIncluded(Kind::EmploymentType) => "employmentTypeNotIncluded",
            Self::NotIncluded(Kind::Department) => "departmentNotIncluded",
            Self::NotIncluded(Kind::Team) => "teamNotIncluded",
            Self::NotIncluded(Kind::Location) => "locationNotIncluded",
            Self::NotIncluded(Kind::Person) => "personNotIncluded",
            Self::Unknown(Kind::LegalEntity) => "legalEntityUnknown",
            Self::Unknown(Kind::EmploymentType) => "employmentTypeUnknown",
            Self::Unknown(Kind::Department) => "departmentUnknown",
            Self::Unknown(Kind::Team) => "teamUnknown",
            Self::Unknown(Kind::Location) => "locationUnknown",
            Self::Unknown(Kind::Person) => "personUnknown",
            Self::NotSelected => "notSelected",
            Self::ExpressionFailed => "expressionFailed",
            Self::NotNamed => "notNamed",
            Self::Other => "other",
        }
    }

    /// Reads the stored word; one of a later version is a reason too.
    #[must_use]
    pub fn from_stored(word: &str) -> Self {
        Self::all().find(|out| out.as_str() == word).unwrap_or(Self::Other)
    }

    /// In words, for the Person.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Excluded(kind) => {
                let (what, list) = kind.words();
                format!("the {what} is among spec.scope.exclude.{list}")
            }
            Self::NotIncluded(kind) => {
                let (what, list) = kind.words();
                format!("the {what} is not among spec.scope.include.{list}")
            }
            Self::Unknown(kind) => format!("spec.scope asks for the {}, which is not known", kind.words().0),
            Self::NotSelected => "spec.scope.expression is false".to_owned(),
            Self::ExpressionFailed => {
                "spec.scope.expression fails, as where it uses a field that says nothing".to_owned()
            }
            Self::NotNamed => "no response has named this record since the policy changed".to_owned(),
            Self::Other => "for a reason of a later version".to_owned(),
        }
    }
}

/// Lists of values by what they are of. An empty list is no list.
#[derive(Clone, Debug, Default)]
pub struct Lists(BTreeMap<Kind, BTreeSet<String>>);

impl Lists {
    /// Adds the values of one kind, as they are written.
    #[must_use]
    pub fn of<'a>(mut self, kind: Kind, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values: BTreeSet<String> = values.into_iter().map(|value| comparable(kind, value)).collect();
        if !values.is_empty() {
            self.0.insert(kind, values);
        }
        self
    }
}

/// Texts are compared trimmed and without case; ids are ids, and compared as they are.
fn comparable(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Person => value.trim().to_owned(),
        _ => employee::comparable(value),
    }
}

/// Which people a policy is about. Without lists and expression: everybody.
#[derive(Debug, Default)]
pub struct Scope {
    include: Lists,
    exclude: Lists,
    expression: Option<Expression>,
}

/// Who somebody is to a policy.
#[derive(Clone, Copy, Debug)]
pub struct ScopeSubject<'a> {
    /// Name of the connection that names them.
    pub connection: &'a str,
    /// Name of their Person.
    pub person: &'a str,
    /// What their record says today.
    pub state: State,
}

impl Scope {
    /// Puts a scope together, and tries its expression on a person nobody is.
    ///
    /// # Errors
    /// Why the expression cannot be used.
    pub fn new(include: Lists, exclude: Lists, expression: Option<&str>) -> Result<Self, Refused> {
        let nobody = Employee::new(HrId(String::new()), String::new(), String::new(), ReportedStatus::Silent);
        let known = ScopeSubject { connection: "", person: "", state: State::Unknown };
        let fields: Vec<_> = fields(&nobody, &known, &Days::of(&nobody)).map(|(field, _)| field).collect();
        let expression = expression.map(|text| Expression::compile(text, &fields)).transpose()?;
        if let Some(expression) = &expression {
            let nobody: Vec<_> = fields.iter().map(|field| (*field, "2026-03-01")).collect();
            expression.holds(&nobody)?; // that it fails for nobody does not mean that it does for somebody
        }
        Ok(Self { include, exclude, expression })
    }

    /// Whether it leaves anybody out.
    #[must_use]
    pub fn filters(&self) -> bool {
        !self.include.0.is_empty() || !self.exclude.0.is_empty() || self.expression.is_some()
    }

    /// The fields it asks for, each with where in the policy: names as in its expression.
    pub fn asks(&self) -> impl Iterator<Item = (String, &'static str)> {
        let listed = |place: &'static str, lists: &Lists| {
            let kinds: Vec<_> = lists.0.keys().copied().collect();
            kinds
                .into_iter()
                .filter_map(move |kind| Some((format!("spec.scope.{place}.{}", kind.words().1), kind.name()?)))
        };
        let names = self.expression.iter().flat_map(|expression| expression.names());
        let names = names.map(|name| ("spec.scope.expression".to_owned(), *name));
        listed("include", &self.include).chain(listed("exclude", &self.exclude)).chain(names)
    }

    /// Whether somebody is out of scope, and why: the first reason there is.
    #[must_use]
    pub fn out(&self, employee: &Employee, known: &ScopeSubject<'_>) -> Option<Out> {
        let listed = |lists: &Lists, kind: Kind| {
            let values = lists.0.get(&kind)?;
            let own = own(employee, known, kind);
            Some(own.map(|own| own.iter().any(|own| values.contains(&comparable(kind, own)))))
        };
        let first = |reason: &dyn Fn(Kind) -> Option<Out>| Kind::ALL.into_iter().find_map(reason);
        first(&|kind| (listed(&self.exclude, kind)? == Some(true)).then_some(Out::Excluded(kind)))
            .or_else(|| {
                first(&|kind| match listed(&self.include, kind)? {
                    Some(true) => None,
                    Some(false) => Some(Out::NotIncluded(kind)),
                    None => Some(Out::Unknown(kind)),
                })
            })
            .or_else(|| first(&|kind| listed(&self.exclude, kind)?.is_none().then_some(Out::Unknown(kind))))
            .or_else(|| self.unselected(employee, known))
    }

    /// Whether somebody is out of scope by who they are alone: all that can be told without their record.
    #[must_use]
    pub fn out_by_id(&self, id: &str, person: &str) -> Option<Out> {
        let among = |lists: &Lists| {
            let listed = lists.0.get(&Kind::Person);
            listed.map(|listed| listed.contains(id) || listed.contains(person))
        };
        match (among(&self.exclude), among(&self.include)) {
            (Some(true), _) => Some(Out::Excluded(Kind::Person)),
            (_, Some(false)) => Some(Out::NotIncluded(Kind::Person)),
            _ => None,
        }
    }

    fn unselected(&self, employee: &Employee, known: &ScopeSubject<'_>) -> Option<Out> {
        let expression = self.expression.as_ref()?;
        let days = Days::of(employee);
        let person: Vec<_> = fields(employee, known, &days).collect();
        match expression.holds(&person) {
            Ok(Some(true)) => None,
            Ok(Some(false)) => Some(Out::NotSelected),
            Ok(None) | Err(_) => Some(Out::ExpressionFailed),
        }
    }
}

/// The days of a record, as texts such as `2026-03-01`, which compare as dates do; empty where there is none.
struct Days {
    start: String,
    last_day: String,
    contract_end: String,
}

impl Days {
    fn of(employee: &Employee) -> Self {
        let text = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let Employee { start, last_day, contract_end, .. } = employee;
        Self { start: text(*start), last_day: text(*last_day), contract_end: text(*contract_end) }
    }
}

/// Fields of `person` in the expression, and what stands in each; one that stands empty is none.
fn fields<'a>(
    employee: &'a Employee,
    known: &ScopeSubject<'a>,
    days: &'a Days,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let who = [
        ("id", employee.id.0.as_str()),
        ("connection", known.connection),
        ("workEmail", employee.work_email.trim()),
        ("employmentType", employee.employment_type.map_or("", EmploymentType::as_str)),
    ];
    let texts = Text::all_shared().map(|text| (text.as_str(), employee.text(text).map(str::trim).unwrap_or_default()));
    let when = [
        ("startDate", days.start.as_str()),
        ("lastDay", &days.last_day),
        ("contractEnd", &days.contract_end),
        ("state", known.state.as_str()),
    ];
    who.into_iter().chain(texts).chain(when)
}

/// What somebody has of a kind, none where that is not known.
fn own<'a>(employee: &'a Employee, known: &ScopeSubject<'a>, kind: Kind) -> Option<Vec<&'a str>> {
    let value = match kind {
        Kind::LegalEntity => employee.text(Text::LegalEntity),
        Kind::EmploymentType => employee.employment_type.map(|kind| kind.as_str()),
        Kind::Department => employee.text(Text::Department),
        Kind::Team => employee.text(Text::Team),
        Kind::Location => employee.text(Text::Location),
        Kind::Person => return Some(vec![employee.id.0.as_str(), known.person]),
    };
    value.filter(|value| !value.trim().is_empty()).map(|value| vec![value])
}

#[cfg(test)]
mod tests;

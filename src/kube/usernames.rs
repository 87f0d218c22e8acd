//! The user names a person signs in with: the CEL expressions of a policy, over `person`.

use std::fmt;

use crate::kube::outcome::Fault;
use domain::employee::{Employee, EmploymentType, HrId, ReportedStatus, Text, Texts};
use domain::expression::Expression;

/// Longest user name.
const MAX_NAME: usize = 256;

/// The compiled expressions of a policy.
pub struct Usernames {
    expressions: Vec<Expression>,
}

impl fmt::Debug for Usernames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usernames({})", self.expressions.len())
    }
}

impl Usernames {
    /// Compiles `identity.usernames`, and tries each on a person nobody is.
    ///
    /// # Errors
    /// Stalled, naming the first expression that cannot be used and why.
    pub fn compile(expressions: &[String]) -> Result<Self, Fault> {
        let mut compiled_all = Vec::with_capacity(expressions.len());
        for (position, expression) in expressions.iter().enumerate() {
            let compiled = compile_one(expression);
            let compiled =
                compiled.map_err(|why| Fault::Stalled(format!("spec.identity.usernames[{position}]: {why}")))?;
            compiled_all.push(compiled);
        }
        Ok(Self { expressions: compiled_all })
    }

    /// The user names of an employee of a connection. An expression that gives none for them is left out: one that needs an address
    /// where there is none, or gives an empty or overlong text.
    #[must_use]
    pub fn of(&self, connection: &str, employee: &Employee) -> Vec<String> {
        let person: Vec<_> = person(connection, employee).collect();
        let names = self.expressions.iter().filter_map(|expression| expression.text(&person).ok().flatten());
        names.filter(|name| (1..=MAX_NAME).contains(&name.trim().chars().count())).collect()
    }

    /// The fields they are made of, each with the expression.
    pub fn asks(&self) -> impl Iterator<Item = (String, &'static str)> {
        let numbered = self.expressions.iter().enumerate();
        numbered.flat_map(|(position, expression)| {
            expression.names().iter().map(move |name| (format!("spec.identity.usernames[{position}]"), *name))
        })
    }

    /// What the user names look like, for any person of these connections.
    #[must_use]
    pub fn forms(&self, connections: &[String]) -> Vec<Form> {
        let of = |connection: &str, first| {
            let example = example(first);
            let person: Vec<_> = person(connection, &example).collect();
            self.expressions.iter().map(|e| e.text(&person).ok().flatten().unwrap_or_default()).collect::<Vec<_>>()
        };
        let mut forms = Vec::new();
        for connection in connections {
            let pairs = of(connection, 'a').into_iter().zip(of(connection, 'b'));
            for form in pairs.filter_map(|(one, other)| Form::of(&one, &other)) {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        forms
    }
}

fn compile_one(text: &str) -> Result<Expression, String> {
    let example = example('a');
    let person: Vec<_> = person("connection", &example).collect();
    let fields: Vec<_> = person.iter().map(|(field, _)| *field).collect();
    let compiled = Expression::compile(text, &fields).map_err(|refused| refused.to_string())?;
    match compiled.text(&person) {
        Ok(Some(_)) => Ok(compiled),
        Ok(None) => Err("fails for a person whose every field is filled".to_owned()),
        Err(refused) => Err(refused.to_string()),
    }
}

/// What an expression sees: all that a sign-in system could make a user name of. A missing address is no field at all, so
/// that `'oidc:' + person.workEmail` gives no name rather than the same one to everybody.
fn person<'a>(connection: &'a str, employee: &'a Employee) -> impl Iterator<Item = (&'static str, &'a str)> {
    let who = [
        ("id", employee.id.0.as_str()),
        ("connection", connection),
        ("workEmail", employee.work_email.trim()),
        ("displayName", employee.name.trim()),
        ("employmentType", employee.employment_type.map_or("", EmploymentType::as_str)),
    ];
    let texts = Text::all_shared().map(|text| (text.as_str(), employee.text(text).map(str::trim).unwrap_or_default()));
    who.into_iter().chain(texts)
}

/// What user names of one expression have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    prefix: String,
    address: bool,
}

impl Form {
    /// The form of two names that have no more in common than the expression gives them. None where that is nothing: then
    /// any name could be meant.
    fn of(one: &str, other: &str) -> Option<Self> {
        let common = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a);
        let (prefix, address) = (common.collect::<String>().to_lowercase(), one.contains('@') && other.contains('@'));
        (address || !prefix.is_empty()).then_some(Self { prefix, address })
    }

    /// Whether a user name looks like it.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        name.to_lowercase().starts_with(&self.prefix) && name.contains('@') == self.address
    }
}

/// An invented person whose every field is filled and begins with a letter.
fn example(first: char) -> Employee {
    let mut texts = Texts::default();
    for text in Text::all_shared() {
        texts.set(text, Some(format!("{first} {}", text.as_str()).into()));
    }
    let id = HrId(format!("{first}0"));
    Employee {
        employment_type: Some(if first == 'a' { EmploymentType::Apprentice } else { EmploymentType::Intern }),
        texts,
        ..Employee::new(id, format!("{first} Nobody"), format!("{first}.nobody@example.com"), ReportedStatus::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(work_email: &str) -> Employee {
        let ada = Employee::new(HrId("7".into()), "Ada".into(), work_email.into(), ReportedStatus::Silent);
        ada.with(Text::Department, "Sales")
    }

    fn compile(expression: &str) -> Result<Usernames, String> {
        Usernames::compile(&[expression.to_owned()]).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_expression_gives_the_name_a_person_signs_in_with() {
        let cases = [
            (
                "the address behind a prefix",
                "'oidc:' + person.workEmail",
                "ada@example.com",
                Some("oidc:ada@example.com"),
            ),
            (
                "as the token says it",
                "'oidc:' + person.workEmail.lowerAscii()",
                "Ada@Example.com",
                Some("oidc:ada@example.com"),
            ),
            ("the name", "person.displayName.lowerAscii() + '-' + person.department", "", Some("ada-Sales")),
            ("a field nothing is known of", "person.team + 'x'", "ada@example.com", None),
            ("the id", "person.connection + '-' + person.id", "ada@example.com", Some("hq-7")),
            ("no address, nothing to say", "'oidc:' + person.workEmail", "", None),
            ("asked whether there is one", "has(person.workEmail) ? 'a' : 'b'", "", Some("b")),
            ("an empty text", "person.id == '7' ? '' : 'x'", "ada@example.com", None),
        ];
        for (what, expression, address, expected) in cases {
            let names = compile(expression).unwrap().of("hq", &ada(address));
            assert_eq!(names, expected.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{what}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_used_is_named_with_its_reason() {
        let long = format!("'{}'", "x".repeat(511));
        let unknown = |named: &str| {
            let own = ["id", "connection", "workEmail", "displayName", "employmentType"];
            let all: Vec<_> = own.into_iter().chain(Text::all_shared().map(Text::as_str)).collect();
            let all: Vec<_> = all.iter().map(|field| format!("person.{field}")).collect();
            let (last, others) = all.split_last().unwrap();
            format!("{named} is not known here; it may use {} and {last}", others.join(", "))
        };
        let cases = [
            ("'oidc:' +", "not a CEL expression such as 'oidc:' + person.workEmail, or person.department == 'Sales'"),
            ("persn.workEmail", &unknown("persn.workEmail")),
            ("person.birthday", &unknown("person.birthday")),
            ("{'a': 'b'}[person.id]", "fails for a person whose every field is filled"),
            ("1 + 1", "does not give a string"),
            ("[1, 2].all(x, x > 0) ? 'a' : 'b'", "all, exists, exists_one, filter and map are not allowed here"),
            (
                "{'a': [1].map(x, x)}.a == [1] ? 'a' : 'b'",
                "all, exists, exists_one, filter and map are not allowed here",
            ),
            (long.as_str(), "more than 512 characters"),
        ];
        for (expression, why) in cases {
            let expected = format!("spec.identity.usernames[0]: {why}");
            assert_eq!(compile(expression).err(), Some(expected), "{expression}");
        }
    }

    #[test]
    fn a_user_name_is_told_from_others_by_what_an_expression_gives_everybody() {
        let cases = [
            ("'oidc:' + person.workEmail", vec!["oidc:eve@example.com", "OIDC:Eve@x.org"]),
            (
                "person.workEmail",
                vec!["eve@example.com", "oidc:eve@example.com", "OIDC:Eve@x.org", "https://idp#eve@x.org"],
            ),
            ("'hq-' + person.id", vec!["hq-9"]),
            ("person.id", vec![]),
        ];
        let names =
            ["eve@example.com", "oidc:eve@example.com", "OIDC:Eve@x.org", "https://idp#eve@x.org", "hq-9", "admin"];
        for (expression, expected) in cases {
            let forms = compile(expression).unwrap().forms(&["hq".to_owned()]);
            let alike: Vec<_> = names.into_iter().filter(|name| forms.iter().any(|form| form.fits(name))).collect();
            assert_eq!(alike, expected, "{expression}");
        }
    }
}

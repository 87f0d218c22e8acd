//! The user names a person signs in with: the CEL expressions of a policy, over `person`.

use std::fmt;

use crate::kube::outcome::Fault;
use domain::employee::Employee;
use domain::expression::Expression;

/// Fields of `person`.
const FIELDS: &[&str] = &["id", "connection", "workEmail"];
/// Longest user name.
const LONGEST_NAME: usize = 256;

/// The compiled expressions of a policy.
pub struct Usernames {
    expressions: Vec<Expression>,
    connection: String,
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
    pub fn compile(expressions: &[String], connection: &str) -> Result<Self, Fault> {
        let mut usernames = Self { expressions: Vec::new(), connection: connection.to_owned() };
        for (position, expression) in expressions.iter().enumerate() {
            let compiled = usernames.compile_one(expression);
            let compiled =
                compiled.map_err(|why| Fault::Stalled(format!("spec.identity.usernames[{position}]: {why}")))?;
            usernames.expressions.push(compiled);
        }
        Ok(usernames)
    }

    fn compile_one(&self, text: &str) -> Result<Expression, String> {
        let compiled = Expression::compile(text, FIELDS).map_err(|refused| refused.to_string())?;
        match compiled.text(&self.person("0", "nobody@example.com")) {
            Ok(Some(_)) => Ok(compiled),
            Ok(None) => Err("fails for a person with an address".to_owned()),
            Err(refused) => Err(refused.to_string()),
        }
    }

    /// The user names of an employee. An expression that gives none for them is left out: one that needs an address
    /// where there is none, or gives an empty or overlong text.
    #[must_use]
    pub fn of(&self, employee: &Employee) -> Vec<String> {
        let person = self.person(&employee.id.0, employee.work_email.trim());
        let names = self.expressions.iter().filter_map(|expression| expression.text(&person).ok().flatten());
        names.filter(|name| (1..=LONGEST_NAME).contains(&name.trim().chars().count())).collect()
    }

    /// What an expression sees. A missing address is no field at all, so that `'oidc:' + person.workEmail` gives no
    /// name rather than the same one to everybody.
    fn person<'a>(&'a self, id: &'a str, work_email: &'a str) -> [(&'static str, &'a str); 3] {
        [("id", id), ("connection", &self.connection), ("workEmail", work_email)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::employee::{HrId, Said};

    fn ada(work_email: &str) -> Employee {
        Employee::new(HrId("7".into()), "Ada".into(), work_email.into(), Said::Silent)
    }

    fn compile(expression: &str) -> Result<Usernames, String> {
        Usernames::compile(&[expression.to_owned()], "hq").map_err(|fault| fault.to_string())
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
            ("the id", "person.connection + '-' + person.id", "ada@example.com", Some("hq-7")),
            ("no address, nothing to say", "'oidc:' + person.workEmail", "", None),
            ("asked whether there is one", "has(person.workEmail) ? 'a' : 'b'", "", Some("b")),
            ("an empty text", "person.id == '7' ? '' : 'x'", "ada@example.com", None),
        ];
        for (what, expression, address, expected) in cases {
            let names = compile(expression).unwrap().of(&ada(address));
            assert_eq!(names, expected.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{what}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_used_is_named_with_its_reason() {
        let long = format!("'{}'", "x".repeat(511));
        let cases = [
            ("'oidc:' +", "not a CEL expression"),
            (
                "persn.workEmail",
                "persn.workEmail is not known here; it may use person.id, person.connection and person.workEmail",
            ),
            (
                "person.department",
                "person.department is not known here; it may use person.id, person.connection and person.workEmail",
            ),
            ("{'a': 'b'}[person.id]", "fails for a person with an address"),
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
}

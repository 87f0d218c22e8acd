//! The user names a person signs in with: the CEL expressions of a policy, over `person`.
//!
//! `cel` bounds no cost, so what could cost is refused: an expression has at most 512 characters (the schema's bound)
//! and no macro that walks a list or map.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::{Context, Env, Program, Value};

use crate::domain::employee::Employee;
use crate::outcome::Fault;

/// Longest expression.
const LONGEST_EXPRESSION: usize = 512;
/// Longest user name.
const LONGEST_NAME: usize = 256;

/// The compiled expressions of a policy.
pub struct Usernames {
    programs: Vec<Program>,
    connection: String,
    env: Arc<Env>,
}

impl fmt::Debug for Usernames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usernames({})", self.programs.len())
    }
}

impl Usernames {
    /// Compiles `identity.usernames`, and tries each on a person nobody is.
    ///
    /// # Errors
    /// Stalled, naming the first expression that cannot be used and why.
    pub fn compile(expressions: &[String], connection: &str) -> Result<Self, Fault> {
        let env = Arc::new(Env::stdlib());
        let mut usernames = Self { programs: Vec::new(), connection: connection.to_owned(), env };
        for (position, expression) in expressions.iter().enumerate() {
            let program = usernames
                .compile_one(expression)
                .map_err(|why| Fault::Stalled(format!("spec.identity.usernames[{position}]: {why}")))?;
            usernames.programs.push(program);
        }
        Ok(usernames)
    }

    fn compile_one(&self, expression: &str) -> Result<Program, String> {
        if expression.chars().count() > LONGEST_EXPRESSION {
            return Err(format!("more than {LONGEST_EXPRESSION} characters"));
        }
        let program = self.env.compile(expression).map_err(|_| "not a CEL expression".to_owned())?;
        if walks(program.expression()) {
            return Err("all, exists, exists_one, filter and map are not allowed here".to_owned());
        }
        match program.execute(&self.context("0", "nobody@example.com")) {
            Ok(Value::String(_)) => Ok(program),
            Ok(_) => Err("does not give a string".to_owned()),
            Err(_) => Err("fails; it may use person.id, person.connection and person.workEmail".to_owned()),
        }
    }

    /// The user names of an employee. An expression that gives none for them is left out: one that needs an address
    /// where there is none, or gives an empty or overlong text.
    #[must_use]
    pub fn of(&self, employee: &Employee) -> Vec<String> {
        if self.programs.is_empty() {
            return Vec::new();
        }
        let context = self.context(&employee.id.0, employee.work_email.trim());
        let names = self.programs.iter().filter_map(|program| match program.execute(&context) {
            Ok(Value::String(name)) => Some((*name).clone()),
            _ => None,
        });
        names.filter(|name| (1..=LONGEST_NAME).contains(&name.trim().chars().count())).collect()
    }

    /// What an expression sees. A missing address is no field at all, so that `'oidc:' + person.workEmail` gives no
    /// name rather than the same one to everybody.
    fn context(&self, id: &str, work_email: &str) -> Context<'static, 'static> {
        let fields = [("id", id), ("connection", &self.connection), ("workEmail", work_email)];
        let person: HashMap<String, Value> = fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_variable_from_value("person", Value::from(person));
        context
    }
}

/// Whether any part of it walks a list or map: what the macros `all`, `exists`, `exists_one`, `filter` and `map` become.
fn walks(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Comprehension(_) => true,
        Expr::Call(call) => call.target.iter().any(|target| walks(target)) || call.args.iter().any(walks),
        Expr::List(list) => list.elements.iter().any(walks),
        Expr::Map(map) => map.entries.iter().any(|entry| entry_walks(&entry.expr)),
        Expr::Struct(structure) => structure.entries.iter().any(|entry| entry_walks(&entry.expr)),
        Expr::Select(select) => walks(&select.operand),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => false,
    }
}

fn entry_walks(entry: &EntryExpr) -> bool {
    match entry {
        EntryExpr::StructField(field) => walks(&field.value),
        EntryExpr::MapEntry(entry) => walks(&entry.key) || walks(&entry.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::employee::{HrId, Said};

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
            ("persn.workEmail", "fails; it may use person.id, person.connection and person.workEmail"),
            ("person.birthday", "fails; it may use person.id, person.connection and person.workEmail"),
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

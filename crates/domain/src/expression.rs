//! CEL over one person: what a policy computes from them, with a bound on what that can cost.
//!
//! `cel` bounds no cost itself. So whatever could cost more than a glance at each field is refused when the policy is
//! read: long or deeply nested text, macros, which walk lists and maps, and every function that is not on a short list.
//! What remains takes time in proportion to its own length and that of the fields. It is still not for the threads
//! that keep a lease: the passes that evaluate it run at the same time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators as op};
use cel::{Context, Env, Program, Value, extensions};

/// Longest expression; the schema's bound too.
pub const MAX_LEN: usize = 512;
/// Deepest nesting of brackets.
const DEEPEST: usize = 16;
/// Room for the parser, which makes fourteen calls for a bracket, a hundred kilobytes without optimisation. Its own bound
/// on nesting lies beyond what a thread usually has.
const STACK: usize = 16 * 1024 * 1024;
/// Longest chain of operators, each on the result of the one before: evaluating takes forty kilobytes of the stack for
/// one without optimisation, and a thread has two thousand.
const MAX_CHAIN: usize = 24;
/// The one name an expression may use.
const PERSON: &str = "person";
/// Operators and functions that cost no more than their arguments are long.
const ALLOWED: [&str; 27] = [
    op::CONDITIONAL,
    op::LOGICAL_AND,
    op::LOGICAL_OR,
    op::LOGICAL_NOT,
    op::SUBSTRACT,
    op::ADD,
    op::MULTIPLY,
    op::DIVIDE,
    op::MODULO,
    op::EQUALS,
    op::NOT_EQUALS,
    op::GREATER_EQUALS,
    op::LESS_EQUALS,
    op::GREATER,
    op::LESS,
    op::NEGATE,
    op::IN,
    op::INDEX,
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "lowerAscii",
    "string",
    "int",
    "double",
    "bool",
];
/// What the macros of the language are called; they become loops.
const MACROS: [&str; 5] = [op::ALL, op::EXISTS, op::EXISTS_ONE, op::FILTER, op::MAP];

/// Functions of the language; the same for every expression.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut language = Env::stdlib().with_optional_support(false);
    // It fails only where a function is declared twice; then `lowerAscii` is unknown, and an expression with it refused.
    let _declared = language.add_extension(extensions::strings);
    Arc::new(language)
});

/// Why an expression cannot be used. Follows the field it stands in: `spec.scope.expression: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too long.
    #[error("more than {MAX_LEN} characters")]
    Long,
    /// Too deep.
    #[error("brackets nested more than {DEEPEST} deep, or more than {MAX_CHAIN} operators in a chain")]
    Deep,
    /// It does not parse. What the parser says is about tokens, and helps nobody who writes YAML.
    #[error("not a CEL expression such as 'oidc:' + person.workEmail, or person.department == 'Sales'")]
    Unreadable,
    /// There is no room to read it in now.
    #[error("cannot be read for want of memory")]
    NoRoom,
    /// It has a macro.
    #[error("all, exists, exists_one, filter and map are not allowed here")]
    Walks,
    /// It calls what is not on the list.
    #[error(
        "{0}() is not allowed here; these are: size, contains, startsWith, endsWith, lowerAscii, string, int, double, bool"
    )]
    Function(String),
    /// It builds a message.
    #[error("messages are not allowed here")]
    Message,
    /// It names what is not there.
    #[error("{named} is not known here; it may use {}", fields(.declared))]
    Name {
        /// What it names.
        named: String,
        /// What it may name.
        declared: Vec<&'static str>,
    },
    /// It gives something else than is wanted.
    #[error("does not give {0}")]
    Result(&'static str),
}

fn fields(declared: &[&str]) -> String {
    let all: Vec<_> = declared.iter().map(|field| format!("{PERSON}.{field}")).collect();
    match all.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => all.join(""),
    }
}

/// A compiled expression.
pub struct Expression {
    program: Program,
    names: Vec<&'static str>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

impl Expression {
    /// Compiles an expression over the `declared` fields of `person`.
    ///
    /// # Errors
    /// Why it cannot be used: see [`Refused`].
    pub fn compile(text: &str, declared: &[&'static str]) -> Result<Self, Refused> {
        if text.chars().count() > MAX_LEN {
            return Err(Refused::Long);
        }
        if brackets(text) > DEEPEST {
            return Err(Refused::Deep); // before the parser, which descends by itself
        }
        let program = std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(STACK);
            let parsed = parser.spawn_scoped(scope, || LANGUAGE.compile(text).map_err(|_| Refused::Unreadable));
            parsed.map_err(|_| Refused::NoRoom)?.join().map_err(|_| Refused::Unreadable)?
        })?;
        let mut names = Vec::new();
        allowed(program.expression(), declared, 0, &mut names)?;
        names.sort_unstable();
        names.dedup();
        Ok(Self { program, names })
    }

    /// The fields of `person` that it names.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// What it gives; none where it fails.
    fn value(&self, person: &[(&str, &str)]) -> Option<Value> {
        // A value that is missing is no field at all, so that an expression fails rather than take nothing for a value.
        let person: HashMap<String, Value> = person
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        context.add_variable_from_value(PERSON, Value::from(person));
        self.program.execute(&context).ok()
    }

    /// The text it gives of a person, whose fields that say nothing are empty; none where it fails.
    ///
    /// # Errors
    /// When it gives something else than a text.
    pub fn text(&self, person: &[(&str, &str)]) -> Result<Option<String>, Refused> {
        match self.value(person) {
            Some(Value::String(text)) => Ok(Some((*text).clone())),
            Some(_) => Err(Refused::Result("a string")),
            None => Ok(None),
        }
    }

    /// Whether it holds of a person, whose fields that say nothing are empty; none where it fails.
    ///
    /// # Errors
    /// When it gives something else than true or false.
    pub fn holds(&self, person: &[(&str, &str)]) -> Result<Option<bool>, Refused> {
        match self.value(person) {
            Some(Value::Bool(holds)) => Ok(Some(holds)),
            Some(_) => Err(Refused::Result("true or false")),
            None => Ok(None),
        }
    }
}

/// How deep brackets of any kind lie in one another, those in texts included: a bound, not a count.
fn brackets(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// Whether every part of it is on the list. Collects the fields that it names.
fn allowed(
    part: &IdedExpr,
    declared: &[&'static str],
    depth: usize,
    names: &mut Vec<&'static str>,
) -> Result<(), Refused> {
    if depth > MAX_CHAIN {
        return Err(Refused::Deep);
    }
    let known = |name: &str| declared.iter().copied().find(|field| *field == name);
    let mut inner = |part: &IdedExpr| allowed(part, declared, depth + 1, names);
    let unknown = |named: String| Refused::Name { named, declared: declared.to_vec() };
    match &part.expr {
        Expr::Literal(_) => Ok(()),
        Expr::Comprehension(_) => Err(Refused::Walks),
        Expr::Struct(_) | Expr::Unspecified => Err(Refused::Message),
        Expr::Ident(name) => Err(unknown(name.clone())),
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(name) if name == PERSON => {
                let field = known(&select.field).ok_or_else(|| unknown(format!("{name}.{}", select.field)))?;
                names.push(field);
                Ok(())
            }
            Expr::Ident(name) => Err(unknown(format!("{name}.{}", select.field))),
            Expr::Map(_) => inner(&select.operand),
            _ => Err(unknown(select.field.clone())),
        },
        Expr::List(list) => list.elements.iter().try_for_each(inner),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => inner(&entry.key).and_then(|()| inner(&entry.value)),
            EntryExpr::StructField(_) => Err(Refused::Message),
        }),
        Expr::Call(call) if MACROS.contains(&call.func_name.as_str()) => Err(Refused::Walks),
        Expr::Call(call) if !ALLOWED.contains(&call.func_name.as_str()) => {
            Err(Refused::Function(call.func_name.clone()))
        }
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).try_for_each(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_it_names_are_known_wherever_they_stand() {
        let text = "has(person.id) && ['Sales'].contains(person . department) ? person.id == '' : true";
        assert_eq!(compile(text).map(|it| it.names().to_vec()), Ok(vec!["department", "id"]));
    }

    const DECLARED: &[&str] = &["id", "department"];

    fn compile(text: &str) -> Result<Expression, Refused> {
        Expression::compile(text, DECLARED)
    }

    #[test]
    fn what_could_cost_or_names_what_is_not_there_is_refused_and_says_what_to_do() {
        let deep = format!("{}1{} == 1", "(".repeat(17), ")".repeat(17));
        let sum = format!("1{} == 1", "+1".repeat(100));
        let long = format!("'{}' == ''", "x".repeat(510));
        let too_deep = "brackets nested more than 16 deep, or more than 24 operators in a chain";
        let known = "is not known here; it may use person.id and person.department";
        let functions = "is not allowed here; these are: size, contains, startsWith, endsWith, lowerAscii, string, int, double, bool";
        let cases = [
            (
                "person.id ==",
                "not a CEL expression such as 'oidc:' + person.workEmail, or person.department == 'Sales'".to_owned(),
            ),
            ("person.birthday == ''", format!("person.birthday {known}")),
            ("persn.id == ''", format!("persn.id {known}")),
            ("has(person.birthday)", format!("person.birthday {known}")),
            ("person == person", format!("person {known}")),
            ("person.id.length == 1", format!("length {known}")),
            ("person['birthday'] == ''", format!("person {known}")),
            ("person.id.matches('(a+)+$')", format!("matches() {functions}")),
            ("['a'].join(',') == person.id", format!("join() {functions}")),
            ("person.id.format([]) == ''", format!("format() {functions}")),
            ("[1, 2].all(x, x > 0)", "all, exists, exists_one, filter and map are not allowed here".to_owned()),
            ("[[1].map(x, x)] == []", "all, exists, exists_one, filter and map are not allowed here".to_owned()),
            ("[1].exists_one(x, true)", "all, exists, exists_one, filter and map are not allowed here".to_owned()),
            ("{'a': [1].map(x, x)}.a == []", "all, exists, exists_one, filter and map are not allowed here".to_owned()),
            ("{'a': person.birthday}.a == ''", format!("person.birthday {known}")),
            ("Person{id: '7'} == 1", "messages are not allowed here".to_owned()),
            (&deep, too_deep.to_owned()),
            (&sum, too_deep.to_owned()),
            (&long, "more than 512 characters".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(compile(text).err().map(|refused| refused.to_string()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_remains_is_computed_from_the_fields_that_say_something() {
        let person = [("id", "7"), ("department", "Sales")];
        let nobody = [("id", "7"), ("department", "")];
        let cases = [
            ("person.department in ['Sales', 'Support']", person, Ok(Some(true))),
            ("person.id.startsWith('8') || person.department.endsWith('s')", person, Ok(Some(true))),
            ("has(person.department) && size(person.department) > 9", person, Ok(Some(false))),
            ("person.department == 'Sales'", nobody, Ok(None)),
            ("has(person.department)", nobody, Ok(Some(false))),
            ("person.id == '7' || person.department == 'Sales'", nobody, Ok(Some(true))),
            ("{'Sales': true}[person.department]", person, Ok(Some(true))),
            ("int(person.department) > 1", person, Ok(None)),
            ("person.department.lowerAscii() == 'sales'", person, Ok(Some(true))),
            ("person.department", person, Err(Refused::Result("true or false"))),
        ];
        for (text, person, expected) in cases {
            assert_eq!(compile(text).unwrap().holds(&person), expected, "{text}");
        }
    }

    /// Parsers descend, and prediction can take a power of the length: nothing of the longest size may take either.
    #[test]
    fn the_worst_that_fits_is_read_in_a_moment_on_a_small_stack() {
        let repeat = |part: &str, end: &str| {
            let times = (MAX_LEN - end.len()) / part.len();
            format!("{}{end}", part.repeat(times))
        };
        let texts = [
            repeat("(", ""),
            repeat("[", ""),
            repeat("!", "true"),
            repeat("-", "1"),
            repeat("true?1:", "1"),
            repeat("true&&", "true"),
            repeat("1+", "1"),
            repeat("person.", "id"),
            format!("{}1{}", "(".repeat(DEEPEST), ")".repeat(DEEPEST)),
            format!("{}1{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST)),
            format!("{}1{}", "size(".repeat(DEEPEST), ")".repeat(DEEPEST)),
            repeat("'a'+", "'a' == person.department"),
            repeat("person.department + ", "person.department == ''"),
            format!("person.department{} == ''", ".lowerAscii()".repeat(24)),
            format!("{} == ''", ["person.department"; 22].join(" + ")),
            format!("{}true", "true ? ".repeat(20) + &"true : ".repeat(20)),
        ];
        let small = std::thread::Builder::new().stack_size(1024 * 1024);
        let took = small.spawn(move || {
            let begun = std::time::Instant::now();
            for text in &texts {
                if let Ok(expression) = compile(text) {
                    let _of_no_interest = expression.holds(&[("department", &"x".repeat(4096))]);
                }
            }
            begun.elapsed()
        });
        let took = took.unwrap().join().unwrap();
        assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    }
}

//! Whether a command can be typed: by the parser of Rollcall's own arguments, and by what is known of other programs.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::error::ErrorKind;
use regex::Regex;
use serde_json::Value;

use super::known::{OTHERS, VERBS, WITH_VALUE, known};
use super::schemas::{Schemas, leads_somewhere};
use super::shell::Command;
use crate::api::condition::ConditionType;

/// What commands are compared with.
pub struct Commands {
    schemas: Schemas,
    makefile: String,
}

/// Words of a command of kubectl: what stands alone, and options with their values.
#[derive(Default)]
struct Words<'a> {
    alone: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn of(words: &'a [String]) -> Self {
        let mut found = Self::default();
        let mut left = words.iter().map(String::as_str);
        while let Some(word) = left.next() {
            if word == "--" {
                break;
            }
            match (word.split_once('='), word.starts_with('-') && word != "-") {
                (_, true) if WITH_VALUE.contains(&word) => found.options.push((word, left.next().unwrap_or_default())),
                (Some((name, value)), true) => found.options.push((name, value)),
                (None, true) => found.options.push((word, "")),
                (_, false) => found.alone.push(word),
            }
        }
        found
    }

    fn values(&self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(|(name, _)| names.contains(name)).map(|(_, value)| *value)
    }
}

impl Commands {
    pub fn new(schemas: Schemas) -> Self {
        Self { schemas, makefile: fs::read_to_string("Makefile").unwrap() }
    }

    /// What is wrong with a command.
    pub fn check(&self, command: &Command) -> Vec<String> {
        let words: Vec<_> = command.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["kubectl", "rollcall", rest @ ..] => parsed("kubectl-rollcall", rest),
            ["rollcall", rest @ ..] => parsed("rollcall", rest),
            ["kubectl", ..] => self.kubectl(&command.words[1..]),
            ["helm", ..] => self.helm(&command.words[1..]),
            ["make", targets @ ..] => targets.iter().filter_map(|target| self.no_target(target)).collect(),
            ["cargo", "build" | "test" | "run" | "install" | "bench" | "fmt" | "clippy", ..] => Vec::new(),
            [program, ..] if OTHERS.contains(program) => Vec::new(),
            [script, ..] if script.contains('/') && !script.starts_with('/') => missing(script).into_iter().collect(),
            _ => vec!["no program that is known here".to_owned()],
        }
    }

    /// Why a command of Rollcall that a sentence names, perhaps in part, does not exist.
    pub fn exists(&self, words: &[String]) -> Option<String> {
        let refused = super::super::parse_from(words.iter().map(OsString::from).collect()).err()?;
        let wrong = [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand, ErrorKind::InvalidValue];
        let said = first_line(&refused);
        (wrong.contains(&refused.kind()) && !said.contains("a value is required")).then_some(said)
    }

    fn no_target(&self, target: &str) -> Option<String> {
        let named = self.makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
        (!named && !target.contains('=') && !target.starts_with('-'))
            .then(|| format!("the Makefile has no target {target}"))
    }

    fn kubectl(&self, words: &[String]) -> Vec<String> {
        let words = Words::of(words);
        let Some((verb, rest)) = words.alone.split_first() else { return vec!["no verb".to_owned()] };
        if !VERBS.contains(verb) {
            return vec![format!("kubectl has no verb {verb}")];
        }
        let files = words.values(&["-f", "--filename", "-k", "--patch-file"]);
        let mut wrong: Vec<_> = files.filter_map(missing).collect();
        if ["get", "describe", "delete", "patch", "annotate", "label", "wait"].contains(verb) {
            wrong.extend(self.objects(&words, rest));
        }
        wrong
    }

    /// What is wrong with the objects that a command names, and with what it asks of them.
    fn objects(&self, words: &Words<'_>, rest: &[&str]) -> Vec<String> {
        let Some((named, _)) = rest.split_first() else {
            return Vec::new(); // those of a file
        };
        let mut wrong = Vec::new();
        let mut ours = Vec::new();
        for word in named.split(',') {
            match self.schemas.meant(word) {
                Some(kind) => ours.push(kind),
                None if word == "rollcall" || known(word) => {}
                None => wrong.push(format!("{word} is no kind that is known here")),
            }
        }
        let everywhere =
            words.options.iter().any(|(name, _)| ["-n", "--namespace", "-A", "--all-namespaces"].contains(name));
        if !ours.is_empty() && !everywhere {
            wrong.push("in which namespace? Rollcall's objects are in its own: write -n rollcall".to_owned());
        }
        for selector in words.values(&["--field-selector"]) {
            let field = selector.split(['=', '!']).next().unwrap_or_default();
            let selectable = ours
                .iter()
                .all(|kind| field.starts_with("metadata.") || kind.selectable.iter().any(|one| one == field));
            if !selectable {
                wrong.push(format!("{field} cannot be selected by"));
            }
        }
        for condition in words.values(&["--for"]).filter_map(|what| what.strip_prefix("condition=")) {
            let condition = condition.split('=').next().unwrap_or_default();
            if !ours.is_empty() && !ConditionType::ALL.iter().any(|one| one.to_string() == condition) {
                wrong.push(format!("there is no condition {condition}"));
            }
        }
        let paths = words.values(&["-o", "--output", "--for"]).filter_map(|what| what.strip_prefix("jsonpath="));
        for path in paths.flat_map(fields) {
            if !ours.is_empty() && !ours.iter().any(|kind| leads_somewhere(&kind.schema, &path)) {
                wrong.push(format!("no field {path}"));
            }
        }
        for patch in words.values(&["-p", "--patch"]) {
            wrong.extend(ours.iter().flat_map(|kind| Schemas::wrong_in(&kind.kind, patch)));
        }
        wrong
    }

    fn helm(&self, words: &[String]) -> Vec<String> {
        let verbs = [
            "dependency",
            "get",
            "install",
            "lint",
            "package",
            "pull",
            "push",
            "repo",
            "show",
            "template",
            "test",
            "uninstall",
            "upgrade",
        ];
        let Some(verb) = words.first().filter(|verb| verbs.contains(&verb.as_str())) else {
            return vec!["helm has no such command".to_owned()];
        };
        let mut wrong: Vec<_> =
            words.iter().filter(|word| word.starts_with("charts/")).filter_map(|chart| missing(chart)).collect();
        let ours = words.iter().any(|word| word.ends_with("/rollcall"));
        if !ours && !["test", "uninstall", "get", "package", "push", "pull", "show"].contains(&verb.as_str()) {
            return wrong; // somebody else's chart
        }
        for pair in words.windows(2) {
            let found = match pair[0].as_str() {
                "--set" | "--set-string" => settings(&pair[1], pair[0] == "--set-string"),
                "--set-json" => json(&pair[1]),
                "-f" | "--values" => missing(&pair[1]).map_or_else(|| Ok(Vec::new()), Err),
                _ => continue,
            };
            match found {
                Ok(values) => wrong.extend(values.iter().flat_map(|values| self.schemas.wrong_values(values))),
                Err(why) => wrong.push(why),
            }
        }
        wrong
    }
}

/// Words of Rollcall's own that a sentence names; up to what stands for something else.
pub fn ours_in_a_sentence(span: &str) -> Option<Vec<String>> {
    let (program, rest) = match span.strip_prefix("kubectl rollcall ") {
        Some(rest) => ("kubectl-rollcall", rest),
        None => ("rollcall", span.strip_prefix("rollcall ")?),
    };
    let script = super::shell::script(rest).ok()?;
    let words = script.commands.into_iter().next()?.words;
    Some(std::iter::once(program.to_owned()).chain(words.into_iter().take_while(|word| !word.contains('…'))).collect())
}

fn parsed(program: &str, rest: &[&str]) -> Vec<String> {
    let words = std::iter::once(program).chain(rest.iter().copied()).map(OsString::from).collect();
    let refused = super::super::parse_from(words).err();
    let help = |kind| matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    refused.filter(|refused| !help(refused.kind())).map(|refused| first_line(&refused)).into_iter().collect()
}

fn first_line(refused: &clap::Error) -> String {
    refused.to_string().lines().take(2).collect::<Vec<_>>().join(" ")
}

/// Why a file cannot be read: one of the repository that is not there. Others are the reader's.
fn missing(path: &str) -> Option<String> {
    let ours = ["examples/", "charts/", "crds/", "docs/", "e2e/", "release/", "connectors/"]
        .iter()
        .any(|folder| path.starts_with(folder));
    (ours && !Path::new(path).exists()).then(|| format!("there is no {path}"))
}

/// The fields that a template of jsonpath names, without filters and what it is of a list.
fn fields(template: &str) -> Vec<String> {
    let filter = Regex::new(r"\[\?\([^)]*\)\]").unwrap();
    let template = filter.replace_all(template, "[0]").replace("['", ".").replace("']", "");
    let expression = Regex::new(r"\{(?:range )?\.([^{}]+)\}").unwrap();
    let paths = expression
        .captures_iter(&template)
        .map(|found| found[1].trim_start_matches("items[*].").trim_start_matches("items[0].").to_owned());
    paths.filter(|path| !path.starts_with("items[")).collect()
}

/// The values that `--set a.b=c,d[0].e=f` means.
fn settings(text: &str, text_only: bool) -> Result<Vec<Value>, String> {
    let one = |setting: &str| {
        let (path, value) = setting.split_once('=').ok_or_else(|| format!("{setting} sets nothing"))?;
        let value = match value {
            _ if text_only => Value::String(value.to_owned()),
            "true" | "false" | "null" => serde_json::from_str(value).unwrap_or_default(),
            number if number.parse::<i64>().is_ok() => serde_json::from_str(number).unwrap_or_default(),
            text => Value::String(text.to_owned()),
        };
        Ok(below(path, value))
    };
    text.split(',').map(one).collect()
}

fn json(text: &str) -> Result<Vec<Value>, String> {
    let (path, value) = text.split_once('=').ok_or_else(|| format!("{text} sets nothing"))?;
    let value = serde_json::from_str(value).map_err(|why| format!("{value}: {why}"))?;
    Ok(vec![below(path, value)])
}

fn below(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |value, part| match part.split_once('[') {
        Some((name, _)) => serde_json::json!({name: [value]}),
        None => serde_json::json!({part: value}),
    })
}

#[test]
fn what_cannot_be_typed_is_found() {
    let commands = Commands::new(Schemas::read());
    for (text, why) in [
        ("kubectl rollcall aprove x", "unrecognized subcommand"),
        ("kubectl rollcall approve --batches x", "unexpected argument"),
        ("rollcall connectors shows", "unrecognized subcommand"),
        ("kubectl -n rollcall gets people", "no verb gets"),
        ("kubectl -n rollcall get peple", "no kind"),
        ("kubectl get people", "in which namespace"),
        ("kubectl -n rollcall get people,pods --field-selector status.state=Active", "cannot be selected by"),
        ("kubectl -n rollcall get revo x -o jsonpath='{.status.fase}'", "no field status.fase"),
        (
            "kubectl -n rollcall get revo -o jsonpath='{range .items[*]}{.status.gate.reazon}{end}'",
            "no field status.gate.reazon",
        ),
        ("kubectl -n rollcall wait syncpolicy x --for=condition=Baselined", "no condition"),
        ("kubectl -n rollcall patch spol x -p '{\"spec\":{\"mode\":\"Enforced\"}}'", "is none of"),
        ("kubectl apply -f examples/nothing.yaml", "there is no examples/nothing.yaml"),
        ("helm install rollcall charts/rollcall --set images.tag=x", "no such value"),
        ("helm upgrade rollcall charts/rollcall --set-json 'targets=[{\"name\":\"a\"}]'", "no such value"),
        ("helm instal rollcall charts/rollcall", "no such command"),
        ("kubectl --context eu rollcall stop --reason x", "no verb rollcall"),
        ("make tests", "no target tests"),
        ("kubctl get pods", "no program"),
    ] {
        let script = super::shell::script(text).unwrap();
        let found: Vec<_> = script.commands.iter().flat_map(|command| commands.check(command)).collect();
        assert!(found.len() == 1 && found[0].contains(why), "{text}: {found:?}");
    }
}

#[test]
fn what_can_be_typed_is_not_complained_of() {
    let commands = Commands::new(Schemas::read());
    let text = "kubectl -n rollcall get hrc,spol,people,revocations\nkubectl rollcall why hq/1001 && make test TAG=1\n\
         kubectl -n rollcall get revo x -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'\n\
         kubectl -n rollcall get networkpolicies,ingresses,deploy/rollcall-sync\n\
         helm install rollcall charts/rollcall --set 'targets[0].namespace=team-a' --set sync.replicas=1,freeze.enabled=false\n";
    let script = super::shell::script(text).unwrap();
    let found: Vec<_> = script.commands.iter().flat_map(|command| commands.check(command)).collect();
    assert!(found.is_empty() && script.commands.len() == 6, "{found:?}");
}

#[test]
fn a_sentence_may_name_a_command_in_part_but_none_that_is_not_there() {
    let commands = Commands::new(Schemas::read());
    let why = |span: &str| ours_in_a_sentence(span).and_then(|words| commands.exists(&words));
    for span in [
        "kubectl rollcall approve",
        "rollcall control --limits",
        "kubectl rollcall stop --reason …",
        "kubectl get pods",
    ] {
        assert_eq!(why(span), None, "{span}");
    }
    for span in ["kubectl rollcall aprove", "kubectl rollcall stop --because x", "rollcall evidence look"] {
        assert!(why(span).is_some(), "{span}");
    }
}

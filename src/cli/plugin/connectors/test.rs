//! `rollcall connectors test`: reads recorded pages with every fault a system is known for.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Failure;
use crate::cli::terminal::{plain, say};

/// Options of `rollcall connectors test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The folders, each with connector.yaml, pages/ and expected.json
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print the result in the format of expected.json
    #[arg(long)]
    print: bool,
}

/// Tries each folder.
///
/// # Errors
/// When a folder does not give what is expected.
pub async fn test(options: &Test) -> Result<(), Failure> {
    let mut failed = 0;
    for folder in &options.folders {
        let name = folder.display();
        match fake_hr::test(folder).await {
            Ok(report) => {
                if options.print {
                    say(&report.found);
                }
                report.wrong.iter().for_each(|wrong| say(&format!("{name}: {}", shown(wrong))));
                failed += usize::from(!report.wrong.is_empty());
                say(&format!(
                    "{name}: {} people, {} faults, {} wrong",
                    report.people,
                    report.faults,
                    report.wrong.len()
                ));
            }
            Err(why) => {
                failed += 1;
                say(&plain(&why));
            }
        }
    }
    let all = options.folders.len();
    if failed == 0 { Ok(()) } else { Err(Failure::Refused(format!("{failed} of {all} folders are not as expected"))) }
}

/// A text of several lines, without what is not seen.
fn shown(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_does_not_give_what_is_expected_fails_the_pipeline() {
        let own = |name: &str| PathBuf::from("connectors").join(name);
        let good = own("bamboohr");
        assert!(test(&Test { folders: vec![good.clone()], print: false }).await.is_ok());
        let bad = test(&Test { folders: vec![good, own("nowhere")], print: true }).await.unwrap_err();
        assert_eq!(bad.to_string(), "1 of 2 folders are not as expected");
    }
}

//! Commands of Rollcall as local processes, each under the token of its own ServiceAccount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The binary under test. `make test` names a copy, since other checkouts may share the folder cargo builds in.
pub fn rollcall() -> Command {
    let path = std::env::var_os("ROLLCALL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_rollcall").into());
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A running command, which ends with this value. Clones are the same process.
#[derive(Clone)]
pub struct Process {
    pub child: Arc<Mutex<Child>>,
    /// It is to stay ended.
    over: Arc<AtomicBool>,
    /// Counts the clones: the last one ends the process.
    clones: Arc<()>,
}

/// How often a Deployment's process is started again. A process that loses its lease ends, and is to be started anew.
const STARTED_AGAIN: usize = 3;

impl Process {
    /// Starts a command that reaches the API server through a kubeconfig and writes everything to a log.
    pub fn start(name: &str, kubeconfig: &Path, arguments: &[String], log: &Path) -> Self {
        Self {
            child: Arc::new(Mutex::new(spawn(name, kubeconfig, arguments, log))),
            over: Arc::default(),
            clones: Arc::default(),
        }
    }

    /// The same as a Deployment runs it: started again if it ends by itself.
    pub fn deploy(name: &str, kubeconfig: &Path, arguments: &[String], log: &Path) -> Self {
        let process = Self::start(name, kubeconfig, arguments, log);
        let (child, over) = (Arc::downgrade(&process.child), process.over.clone());
        let (name, kubeconfig, arguments, log) =
            (name.to_owned(), kubeconfig.to_owned(), arguments.to_owned(), log.to_owned());
        std::thread::spawn(move || {
            for _ in 0..STARTED_AGAIN {
                loop {
                    std::thread::sleep(Duration::from_millis(200));
                    let Some(child) = child.upgrade() else { return };
                    let mut child = child.lock().unwrap();
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    if child.try_wait().unwrap().is_some() {
                        *child = spawn(&name, &kubeconfig, &arguments, &log);
                        break;
                    }
                }
            }
        });
        process
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Waits for its end.
    pub async fn end(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, as a node that dies would. Nothing if it has ended.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        self.over.store(true, Ordering::SeqCst);
        child.kill().ok();
        child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if Arc::strong_count(&self.clones) == 1 {
            self.kill();
        }
    }
}

fn spawn(name: &str, kubeconfig: &Path, arguments: &[String], log: &Path) -> Child {
    let output = File::options().create(true).append(true).open(log).unwrap();
    rollcall()
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("HOSTNAME", name) // as in a pod
        .env("ROLLCALL_LOG", "debug") // so that a leak anywhere is found
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap_or_else(|error| panic!("{name} does not start: {error}"))
}

/// The end of a log, for a failed test. Whatever looks like a token is left out.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n");
    without_tokens(&last)
}

/// Hides every JSON Web Token; they all begin with the same letters.
pub fn without_tokens(text: &str) -> String {
    let mut parts = text.split("eyJ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
        shown.push_str("<token>");
        shown.push_str(rest);
    }
    shown
}

/// A kubeconfig in a file only its owner reads.
pub fn write_kubeconfig(directory: &Path, name: &str, content: &str) -> PathBuf {
    use std::os::unix::fs::OpenOptionsExt;
    let path = directory.join(format!("{name}.kubeconfig"));
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
    path
}

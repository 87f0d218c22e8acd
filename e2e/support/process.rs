//! Commands of Rollcall as local processes, each under the token of its own ServiceAccount.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use super::versions;

/// Time between two looks at whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The binary under test. `make test` names a copy, since other checkouts may share the folder cargo builds in.
pub fn rollcall() -> Command {
    command(std::env::var_os("ROLLCALL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_rollcall").into()))
}

/// The image's binary, which has no command for people: `make bench` builds both, the tests have one for all.
pub fn operator() -> Command {
    std::env::var_os("ROLLCALL_IMAGE_BIN").map_or_else(rollcall, command)
}

/// The same, of the version in an image.
pub fn of_image(image: &str) -> Command {
    versions::of_image(image).map_or_else(operator, |path| command(path.into()))
}

fn command(path: OsString) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A running command, which ends with this value. Clones are the same process.
#[derive(Clone)]
pub struct Process(pub Arc<Mutex<Child>>);

impl Process {
    /// Starts a command of this program that reaches the API server through a kubeconfig, with variables of its own, and adds everything it
    /// says to a log.
    pub fn start(
        mut program: Command,
        name: &str,
        kubeconfig: &Path,
        arguments: &[String],
        variables: &[(String, String)],
        log: &Path,
    ) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = program
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("HOSTNAME", name) // as in a pod
            .env("ROLLCALL_LOG", "debug") // so that a leak anywhere is found
            .envs(variables.iter().cloned())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self(Arc::new(Mutex::new(child)))
    }

    /// Starts a command that says a line once it is ready, and gives the line.
    pub fn ready(command: &mut Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(Arc::new(Mutex::new(child))), line.trim().to_owned())
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.0.lock().unwrap().try_wait().unwrap()
    }

    /// Waits for its end.
    pub async fn end(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills it, as a node that dies would. Nothing if it has ended.
    pub fn kill(&self) {
        let mut child = self.0.lock().unwrap();
        child.kill().ok();
        child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) == 1 {
            self.kill();
        }
    }
}

/// A command that is started again when it ends, as a Deployment would: by a thread of its own, since a story that waits for a command of
/// its own holds up everything else of its runtime.
pub struct Service {
    pub current: Arc<Mutex<Process>>,
    /// Once this is dropped, nothing is started any more.
    kept: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Service {
    /// Keeps a command running.
    pub fn keep(start: impl Fn() -> Process + Send + 'static) -> Self {
        let current = Arc::new(Mutex::new(start()));
        let (kept, ended) = mpsc::channel();
        let running = current.clone();
        let keeper = std::thread::spawn(move || {
            let rests = |time| ended.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
            while rests(LOOK) {
                let process = running.lock().unwrap().clone();
                // Nobody starts a failing process in a tight loop.
                if process.ended().is_some() && rests(Duration::from_secs(1)) {
                    *running.lock().unwrap() = start();
                }
            }
        });
        Self { current, kept: Some(kept), keeper: Some(keeper) }
    }

    /// Kills it; it comes back.
    pub fn kill(&self) {
        self.current.lock().unwrap().kill();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.kept.take());
        self.keeper.take().map(JoinHandle::join);
        self.kill();
    }
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

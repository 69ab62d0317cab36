//! Running the binary: calls that end, and an exporter that is killed when its test ends.

#![allow(clippy::disallowed_methods, reason = "a deadline for processes that run in real time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// For what must happen at all: far above what a loaded machine needs, so that only a hang exceeds it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a call that has ended came to.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// A process that serves.
pub(super) struct Exporter {
    child: Child,
    pub(super) address: SocketAddr,
    stderr: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Looks at a condition until it holds, and panics with `what` when it never does.
pub(super) fn await_that<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(LOOK);
    }
}

pub(super) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-exporter"));
    // Whoever runs the tests may have set it.
    command.env_remove("RUST_LOG");
    command
}

/// Runs a command to its end, in a directory, with something on its standard input.
pub(super) fn call(directory: &Path, arguments: &[&str], input: &[u8]) -> Call {
    let mut child = binary()
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Whoever reads none of it makes writing fail, which is no matter here.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Call { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

// === impl Exporter ===

impl Exporter {
    /// Starts `run` on a configuration whose `listen` has port 0.
    pub(super) fn run(config: &Path, options: &[&str]) -> Self {
        let mut command = binary();
        command.arg("run").arg("--config").arg(config).args(options);
        Self::start(command)
    }

    /// Starts what serves, and waits until it says where.
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut pipe = child.stderr.take().expect("a pipe");
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                collected.lock().expect("no panic").extend_from_slice(&bytes[..count]);
            }
        });
        let unbound = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut new = Self { child, address: unbound, stderr, reader: Some(reader) };
        new.address = new.await_log("listening", |event| event["address"].as_str()?.parse().ok());
        new
    }

    /// What it wrote to its standard error so far.
    pub(super) fn stderr(&self) -> String {
        String::from_utf8(self.stderr.lock().expect("no panic").clone()).expect("UTF-8")
    }

    /// The whole lines of its log.
    pub(super) fn events(&self) -> Vec<serde_json::Value> {
        let text = self.stderr();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a log of JSON lines")).collect()
    }

    /// Waits for an event of its log with this message that has what is looked for.
    pub(super) fn await_log<T>(
        &mut self,
        message: &str,
        mut find: impl FnMut(&serde_json::Value) -> Option<T>,
    ) -> T {
        await_that(&format!("{message} in its log"), || {
            let found = self.events().iter().filter(|event| event["message"] == message).find_map(&mut find);
            if found.is_none()
                && let Some(status) = self.child.try_wait().expect("a child")
            {
                panic!("it ended with {status} before it said {message}: {}", self.stderr());
            }
            found
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }

    /// Waits for its end.
    pub(super) fn end(&mut self) -> ExitStatus {
        let status = await_that("its end", || self.child.try_wait().expect("a child"));
        self.reader.take().expect("once").join().expect("no panic");
        status
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    pub(super) fn ask(&self, method: &str, path: &str, headers: &str) -> Response {
        self.try_ask(method, path, headers).expect("an answer")
    }

    pub(super) fn try_ask(&self, method: &str, path: &str, headers: &str) -> std::io::Result<Response> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .ok_or(std::io::ErrorKind::InvalidData)?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Response { status, head, body: answer[end + 4..].to_vec() })
    }

    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let response = self.ask("GET", path, "");
        (response.status, response.text())
    }

    pub(super) fn metrics(&self) -> String {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        text
    }

    /// The value of one series of its exposition, as it is written; also `None` while nothing may be shown, as
    /// after a crash.
    pub(super) fn value(&self, series: &str) -> Option<String> {
        let (status, text) = self.get("/metrics");
        assert!(status == 200 || status == 503, "{status} {text}");
        if status == 200 { value(&text, series) } else { None }
    }

    /// Waits until a series has a value.
    pub(super) fn await_value(&self, series: &str, expected: &str) {
        let mut last = None;
        let deadline = Instant::now() + PATIENCE;
        while last.as_deref() != Some(expected) {
            assert!(Instant::now() < deadline, "{series} is {last:?}, never {expected}\n{}", self.stderr());
            std::thread::sleep(LOOK);
            last = self.value(series);
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

// === impl Response ===

impl Response {
    pub(super) fn text(self) -> String {
        String::from_utf8(self.body).expect("UTF-8")
    }
}

/// The value of one series of an exposition.
pub(super) fn value(exposition: &str, series: &str) -> Option<String> {
    let line = exposition.lines().find_map(|line| line.strip_prefix(series))?;
    line.strip_prefix(' ').map(ToOwned::to_owned)
}

/// A directory with a configuration of one binary model `m`, whose log `p` is `p.jsonl` in it.
pub(super) fn one_model() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.yaml");
    write(&config, &one_model_text(directory.path(), &["p"]));
    (directory, config)
}

/// The configuration text with logs of these names.
pub(super) fn one_model_text(directory: &Path, logs: &[&str]) -> String {
    let mut text = "listen: 127.0.0.1:0\nlogs:\n".to_owned();
    for log in logs {
        text.push_str(&format!(
            "  - name: {log}\n    paths: ['{}/{log}.jsonl']\n    start_at: beginning\n    model: m\n    \
             fields: {{id: id, time: ts, prediction: p, label: y}}\n",
            directory.display()
        ));
    }
    text + "models:\n  m: {task: binary, positive: \"1\", windows: [24h]}\n"
}

pub(super) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

pub(super) fn append(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log");
    file.write_all(bytes).expect("room on the disk");
}

//! What a command has printed: in memory as long as it is little.

use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;

/// Output up to this size is kept in memory, beyond it in a temporary file.
const IN_MEMORY: usize = 1 << 20;

/// What a command has printed.
#[derive(Debug)]
pub struct Output(SpooledTempFile);

impl Default for Output {
    fn default() -> Self {
        Output(SpooledTempFile::new(IN_MEMORY))
    }
}

impl Output {
    /// Adds what has arrived. What cannot be kept any more (no space left) is let go: the command
    /// must not stand still because of it.
    pub fn add(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Whether nothing was printed.
    #[must_use]
    pub fn is_empty(&mut self) -> bool {
        matches!(self.0.seek(io::SeekFrom::End(0)), Ok(0))
    }

    /// Copies everything to `to`; returns the last byte.
    ///
    /// # Errors
    ///
    /// Reading back or writing failed.
    pub fn copy(&mut self, to: &mut impl Write) -> io::Result<Option<u8>> {
        self.0.rewind()?;
        let mut buffer = vec![0; 64 << 10];
        let mut last = None;
        loop {
            let read = self.0.read(&mut buffer)?;
            let Some(&byte) = buffer[..read].last() else {
                return Ok(last);
            };
            last = Some(byte);
            to.write_all(&buffer[..read])?;
        }
    }

    /// Its last lines, at most so many, out of its last few thousand bytes.
    #[must_use]
    pub fn last_lines(&mut self, lines: usize) -> Vec<String> {
        let tail = self.tail(4 << 10).unwrap_or_default();
        let text = String::from_utf8_lossy(&tail);
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(lines);
        all[from..].iter().map(|line| (*line).to_owned()).collect()
    }

    fn tail(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let end = self.0.seek(io::SeekFrom::End(0))?;
        self.0
            .seek(io::SeekFrom::Start(end.saturating_sub(bytes)))?;
        let mut tail = Vec::new();
        self.0.read_to_end(&mut tail)?;
        Ok(tail)
    }
}

//! One connection of the load generator: send a request, wait for the whole
//! answer, again.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::server::MESSAGE;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection with one request under way at a time.
pub(super) struct Client {
    stream: TcpStream,
    http: bool,
    /// Room for an answer, and for HTTP exactly as long as one.
    answer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr, http: bool) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Client {
            stream,
            http,
            answer: vec![0; MESSAGE],
        };
        if http {
            client.answer = client.first_page().await?;
        }
        Ok(client)
    }

    /// One round trip.
    pub(super) async fn round_trip(&mut self) -> std::io::Result<()> {
        let request: &[u8] = if self.http { REQUEST } else { &[7; MESSAGE] };
        self.stream.write_all(request).await?;
        self.stream.read_exact(&mut self.answer).await?;
        if self.http && !self.answer.starts_with(b"HTTP/1.1 200") {
            return Err(std::io::Error::other("the page was not served"));
        }
        Ok(())
    }

    /// The whole first answer. The following ones are as long, since nothing in
    /// them changes but the digits of the date.
    async fn first_page(&mut self) -> std::io::Result<Vec<u8>> {
        self.stream.write_all(REQUEST).await?;
        let mut page = Vec::new();
        while page_length(&page).is_none_or(|length| page.len() < length) {
            if self.stream.read_buf(&mut page).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(page)
    }
}

/// How long the answer is with its head, once the head is there.
fn page_length(page: &[u8]) -> Option<usize> {
    let head = page.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&page[..head])
        .ok()?
        .to_ascii_lowercase();
    let field = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    Some(head + 4 + field.trim().parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::page_length;

    #[test]
    fn a_page_is_as_long_as_its_head_says() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
        assert_eq!(page_length(head), Some(head.len() + 11));
        assert_eq!(page_length(&head[..head.len() - 1]), None);
    }
}

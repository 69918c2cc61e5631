//! Event files: TFRecord frames, each of them a protocol buffer `tensorflow.Event`.
//!
//! Written here because what writes them elsewhere takes the time of day and the host's name into the bytes. A frame is
//! the payload's length, 8 bytes, and its checksum, then the payload and its checksum (CRC-32C, masked). Of the messages
//! `Event`, `Summary` and `Summary.Value` the fields used here are numbered as in TensorFlow's `event.proto` and
//! `summary.proto`.

/// A file of one scalar's points.
pub(super) fn events(tag: &str, points: impl Iterator<Item = (u64, f64)>) -> Vec<u8> {
    let mut file = Vec::new();
    frame(&mut file, &event(0, |event| bytes(event, 3, b"brain.Event:2")));
    for (step, score) in points {
        let mut value = Vec::new();
        bytes(&mut value, 1, tag.as_bytes());
        key(&mut value, 2, FIXED_32);
        value.extend((score as f32).to_le_bytes());
        let mut summary = Vec::new();
        bytes(&mut summary, 1, &value);
        frame(&mut file, &event(step, |event| bytes(event, 5, &summary)));
    }
    file
}

/// An event at `step`, which is its wall time too.
fn event(step: u64, content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, FIXED_64);
    event.extend((step as f64).to_le_bytes());
    key(&mut event, 2, VARINT);
    varint(&mut event, step);
    content(&mut event);
    event
}

fn frame(file: &mut Vec<u8>, payload: &[u8]) {
    let length = (payload.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c(&length)).to_le_bytes());
    file.extend(payload);
    file.extend(masked(crc32c(payload)).to_le_bytes());
}

// Wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

fn key(message: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(message, field << 3 | wire_type);
}

fn bytes(message: &mut Vec<u8>, field: u64, content: &[u8]) {
    key(message, field, BYTES);
    varint(message, content.len() as u64);
    message.extend(content);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// TFRecord's mask, which keeps the checksum of data that holds checksums apart from theirs.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's CRC, bit by bit: the files are small.
fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn large_numbers_take_seven_bits_a_byte() {
        let mut found = Vec::new();
        varint(&mut found, 300);
        varint(&mut found, 127);
        assert_eq!(found, [0xac, 0x02, 0x7f]);
    }
}

"""From a codec's payload to frames and back: ids, segments, checks, loss, air time."""

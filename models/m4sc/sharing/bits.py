"""Fields of given widths to bytes and back."""

from __future__ import annotations


class BitWriter:
    """Appends fields, the highest bit first."""

    def __init__(self) -> None:
        self._number, self._count = 0, 0

    def put(self, value: int, width: int) -> None:
        """Append a field; raises ValueError where it does not fit."""
        if not 0 <= value < 1 << width:
            raise ValueError(f"{value} does not fit {width} bits")
        self._number, self._count = self._number << width | value, self._count + width

    def put_small(self, value: int) -> None:
        """Append a number of any size that is mostly small: 1 bit for 0, 3 for 1 and 2, 5 for 3 to 6, ...

        Exponential Golomb code of order 0, as of ITU-T H.264, Sec. 9.1.
        """
        width = (value + 1).bit_length()
        self.put(value + 1, 2 * width - 1)

    def bytes(self) -> bytes:
        """All fields, filled with zero bits to whole bytes."""
        size = -(-self._count // 8)
        return (self._number << 8 * size - self._count).to_bytes(size, "big")


class BitReader:
    """Takes fields in the order in which they were put."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, width: int) -> int:
        """The next field; raises ValueError where the bytes are at an end."""
        if width > self._left:
            raise ValueError("the fields end before they should")
        self._left -= width
        return self._number >> self._left & (1 << width) - 1

    def take_small(self, most: int) -> int:
        """Inverse of :meth:`BitWriter.put_small`; raises ValueError for what is above `most`."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > most.bit_length():
                raise ValueError("a number is larger than it may be")
        value = (1 << zeros | self.take(zeros)) - 1
        if value > most:
            raise ValueError(f"{value} is more than {most}")
        return value

    def finish(self) -> None:
        """Raise ValueError unless only filling is left."""
        if self._left >= 8 or self._number & (1 << self._left) - 1:
            raise ValueError("there is more than the fields say")

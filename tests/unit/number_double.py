# SPDX-License-Identifier: MIT
"""Doubles and floats are written as Python's repr has their digits, and the powers of ten are exact.

Integers only, where repr does not help: the powers are computed again, and a float's shortest text
is searched for among the decimals that are nearer to it than to its neighbours.
usage: number_double.py DUMP
"""
import struct
import subprocess
import sys


def power(e):
    """The 128 leading bits of 10^e, rounded up."""
    top, bottom = 10 ** max(e, 0), 10 ** max(-e, 0)
    shift = 128 + bottom.bit_length() - top.bit_length()
    for s in (shift - 1, shift):  # the quotient has one of two lengths
        scaled = -(-(top << max(s, 0)) // (bottom << max(-s, 0)))
        if scaled.bit_length() == 128:
            return scaled
    raise AssertionError(e)


def present(sign, digits, point):
    """The text of 0.DIGITS * 10^POINT in our form."""
    if point > 17 or point < -4:
        return f'{sign}{digits[0]}{"." if digits[1:] else ""}{digits[1:]}e{point - 1}'
    if point <= 0:
        return f'{sign}0.{"0" * -point}{digits}'
    if len(digits) <= point:
        return sign + digits + '0' * (point - len(digits))
    return f'{sign}{digits[:point]}.{digits[point:]}'


def double_text(bits):
    sign, text = '', repr(struct.unpack('>d', bits.to_bytes(8, 'big'))[0])
    if text[0] == '-':
        sign, text = '-', text[1:]
    mantissa, _, exponent = text.partition('e')
    whole, _, fraction = mantissa.partition('.')
    digits = (whole + fraction).lstrip('0')
    point = len(whole) + int(exponent or 0) - len(whole + fraction) + len(digits)
    return present(sign, digits.rstrip('0') or '0', point if digits else 1)


def float_text(bits):
    """The float is c * 2^q; its interval, times four and scaled by 10^-k, in integers."""
    sign, bits = '-' if bits >> 31 else '', bits & 0x7FFFFFFF
    biased, fraction = bits >> 23, bits & 0x7FFFFF
    c, q = (fraction | 1 << 23, biased - 150) if biased else (fraction, -149)
    low, high = 4 * c - (1 if fraction == 0 and biased > 1 else 2), 4 * c + 2
    if c == 0:
        return sign + '0'
    for k in range(40, -60, -1):
        up = 2 ** max(q, 0) * 10 ** max(-k, 0)
        unit = 4 * 2 ** max(-q, 0) * 10 ** max(k, 0)  # of the last place
        at = 4 * c * up // unit
        fits = [m for m in (at, at + 1)
                if m > 0 and (low * up <= m * unit <= high * up if c % 2 == 0
                              else low * up < m * unit < high * up)]
        if fits:
            m = min(fits, key=lambda m: (abs(m * unit - 4 * c * up), m % 2))
            digits = str(m).rstrip('0')
            return present(sign, digits, len(str(m)) + k)
    raise AssertionError(bits)


def main():
    count, faults = {'P': 0, 'D': 0, 'F': 0}, []
    dump = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in dump.splitlines():
        kind, key, got = line.split(' ')
        count[kind] += 1
        want = (f'{power(int(key)):032x}' if kind == 'P' else
                double_text(int(key, 16)) if kind == 'D' else float_text(int(key, 16)))
        if got != want:
            faults.append(f'{kind} {key} is {got}, not {want}')
    print(*faults[:20], f'number_double: {count}, {len(faults)} faults', sep='\n')
    return 1 if faults or count['P'] != 617 or min(count['D'], count['F']) < 10000 else 0


sys.exit(main())

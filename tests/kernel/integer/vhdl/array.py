"""The published array of 32 rows and 8 columns, with and without registers at its edges: its bench and vectors."""

from __future__ import annotations

import random

from tests.kernel.integer.vhdl.simulator import SEED, Design, Row, hexadecimal, signed, write

ROWS, COLUMNS = 32, 8
FOLDER = f"MatMul/MAC_{ROWS}x{COLUMNS}_8_bias_32"
COMMON = tuple(
    f"MatMul/common/{name}.vhd" for name in ("ff", "regnbit", "MAC", "mux_2to1_nbit_base", "mux_4to1_nbit_base")
)
REGISTERS = {"array": 0, "array_registered": 2}
"""Cycles that registers at the inputs and at the outputs add, of each kind of array."""
TILES = 12

_BENCH = """
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;

entity bench_array is
  generic (asked, answered : string);
end entity;

architecture bench of bench_array is
  type bytes is array (natural range <>) of std_logic_vector(7 downto 0);
  type sums  is array (natural range <>) of std_logic_vector(31 downto 0);
  signal rows    : bytes(0 to {rows} - 1) := (others => x"00");
  signal columns : bytes(0 to {columns} - 1) := (others => x"00");
  signal results : sums(0 to {rows} - 1);
  signal chosen  : std_logic_vector(2 downto 0) := "000";
  signal bias    : std_logic_vector(31 downto 0) := (others => '0');
  signal clock, reset_n, enable : std_logic := '0';
begin
  unit : entity work.{entity}
    port map ({ports}, b_col => bias, SEL_mux => chosen, CLK => clock, RST_n => reset_n, ENABLE => enable);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable byte : std_logic_vector(7 downto 0);
    variable word : std_logic_vector(31 downto 0);
    variable biases : sums(0 to {columns} - 1);
    variable depth, cycles : natural;

    procedure tick is
    begin
      wait for 5 ns; clock <= '1';
      wait for 5 ns; clock <= '0';
      cycles := cycles + 1;
    end procedure;
  begin
    while not endfile(given) loop
      readline(given, words);
      read(words, depth);
      for column in 0 to {columns} - 1 loop
        hread(words, word); biases(column) := word;
      end loop;
      reset_n <= '0'; enable <= '0';
      wait for 10 ns;
      reset_n <= '1'; enable <= '1'; cycles := 0;
      for place in 1 to depth loop
        for row in 0 to {rows} - 1 loop
          hread(words, byte); rows(row) <= byte;
        end loop;
        for column in 0 to {columns} - 1 loop
          hread(words, byte); columns(column) <= byte;
        end loop;
        tick;
      end loop;
      enable <= '0';
      for step in 0 to {columns} - 1 + {registers} loop
        if step < {columns} then
          chosen <= std_logic_vector(to_unsigned(step, 3));
        end if;
        if step >= {bias_later} and step < {columns} + {bias_later} then
          bias <= biases(step - {bias_later});
        end if;
        wait for 1 ns;
        if step >= {registers} then
          for row in 0 to {rows} - 1 loop
            hwrite(says, results(row)); write(says, string'(" "));
          end loop;
        end if;
        tick;
      end loop;
      write(says, cycles);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;
"""


def write_all(design: Design) -> None:
    """Vectors of both kinds of array. Columns of the array come out one after the other."""
    for name, registers in REGISTERS.items():
        suffix = "_reg" if registers else ""
        sources = (
            *COMMON,
            f"{FOLDER}/mux_{COLUMNS}to1_nbit.vhd",
            f"{FOLDER}/bias_sum_{ROWS}_32.vhd",
            f"{FOLDER}/MAC_{ROWS}x{COLUMNS}_8{suffix}.vhd",
            f"{FOLDER}/MAC_bias_{ROWS}x{COLUMNS}_8{suffix}.vhd",
        )
        questions = [_tile(random.Random(f"{SEED} {place}")) for place in range(TILES)]
        bench = _bench(f"MAC_bias_{ROWS}x{COLUMNS}_8{suffix}", registers)
        answers = design.answers(sources, ("bench_array", bench), [_line(one) for one in questions])
        rows = [(question, _numbers(answer)) for question, answer in zip(questions, answers, strict=True)]
        head = {
            "source": design.provenance(sources),
            "given": ("depth", "biases*", "bytes*"),
            "cycles_last": True,
        }
        write(f"swifttron_{name}", head, rows)


def _tile(source: random.Random) -> Row:
    """Depth, a bias a column, and for each step of the depth a byte a row and a byte a column."""
    depth = source.randrange(1, 25)
    biases = [source.randrange(-(1 << 20), 1 << 20) for _ in range(COLUMNS)]
    return [depth, *biases, *(source.randrange(-128, 128) for _ in range(depth * (ROWS + COLUMNS)))]


def _line(tile: Row) -> str:
    biases, found = tile[1 : 1 + COLUMNS], tile[1 + COLUMNS :]
    words = [hexadecimal(one, 8) for one in biases] + [hexadecimal(one, 2) for one in found]
    return " ".join([str(tile[0]), *words])


def _numbers(answer: str) -> Row:
    *words, cycles = answer.split()
    return [*(signed(word) for word in words), int(cycles)]


def _bench(entity: str, registers: int) -> str:
    ports = [f"input_row_{row} => rows({row}), output_row_{row} => results({row})" for row in range(ROWS)]
    ports += [f"input_col_{column} => columns({column})" for column in range(COLUMNS)]
    return _BENCH.format(
        entity=entity,
        ports=", ".join(ports),
        rows=ROWS,
        columns=COLUMNS,
        registers=registers,
        bias_later=registers // 2,
    )

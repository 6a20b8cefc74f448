-- One square root a line: number (hexadecimal) -> root, and cycles from the first enabled one to VAL or Z.
-- The first guess is loaded by SEL = 0 in a cycle before.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_square_root is
  generic (asked, answered : string);
end entity;

architecture bench of bench_square_root is
  signal number, root : std_logic_vector(31 downto 0) := (others => '0');
  signal clock, reset_n, enable, iterating, is_valid, is_zero : std_logic := '0';
begin
  unit : entity work.I_SQRT
    port map (n => number, CLK => clock, RST_n => reset_n, EN => enable, SEL => iterating, VAL => is_valid,
              Z => is_zero, out_sqrt => root);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable word   : std_logic_vector(31 downto 0);
    variable cycles : natural;

    procedure tick is
    begin
      wait for 5 ns; clock <= '1';
      wait for 5 ns; clock <= '0';
      cycles := cycles + 1;
    end procedure;
  begin
    while not endfile(given) loop
      readline(given, words);
      hread(words, word); number <= word;
      reset_n <= '0'; enable <= '0'; iterating <= '0';
      wait for 10 ns;
      reset_n <= '1';
      tick;
      cycles := 0; enable <= '1'; iterating <= '1';
      loop
        tick;
        exit when is_valid = '1' or is_zero = '1' or cycles = 100;
      end loop;
      hwrite(says, root);
      write(says, string'(" ")); write(says, cycles);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

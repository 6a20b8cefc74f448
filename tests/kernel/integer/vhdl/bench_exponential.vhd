-- One exponential a line: number, b, c, ln2, divisor (hexadecimal) -> the word that comes out.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_exponential is
  generic (asked, answered : string);
end entity;

architecture bench of bench_exponential is
  signal number, b, c, ln2 : std_logic_vector(31 downto 0) := (others => '0');
  signal divisor : std_logic_vector(31 downto 0) := x"00000001";
  signal result  : std_logic_vector(31 downto 0);
begin
  unit : entity work.I_EXP
    port map (q_in_exp => number, q_b => b, q_c => c, q_ln2 => ln2, q_ln2_neg_inv => divisor, q_out_exp => result);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable word : std_logic_vector(31 downto 0);
  begin
    while not endfile(given) loop
      readline(given, words);
      hread(words, word); number <= word;
      hread(words, word); b <= word;
      hread(words, word); c <= word;
      hread(words, word); ln2 <= word;
      hread(words, word); divisor <= word;
      wait for 10 ns;
      hwrite(says, result);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

-- One GELU a line: number, b, c, most, one (hexadecimal) -> the word that comes out.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_gelu is
  generic (asked, answered : string);
end entity;

architecture bench of bench_gelu is
  signal number, b, c, most, one : std_logic_vector(31 downto 0) := (others => '0');
  signal result : std_logic_vector(31 downto 0);
begin
  unit : entity work.I_GELU
    port map (q_in_gelu => number, q_b => b, q_c => c, q_max => most, q_1 => one, q_out_gelu => result);

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
      hread(words, word); most <= word;
      hread(words, word); one <= word;
      wait for 10 ns;
      hwrite(says, result);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

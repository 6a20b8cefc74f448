-- One requantisation a line: number, multiplier, shift (hexadecimal) -> the byte that comes out.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_requantise is
  generic (asked, answered : string);
end entity;

architecture bench of bench_requantise is
  signal number, multiplier : std_logic_vector(31 downto 0) := (others => '0');
  signal shift : std_logic_vector(5 downto 0) := (others => '0');
  signal byte  : std_logic_vector(7 downto 0);
begin
  unit : entity work.REQUANTIZATION
    port map (q_in_req => number, m => multiplier, c => shift, q_out_req => byte);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable word  : std_logic_vector(31 downto 0);
    variable short : std_logic_vector(7 downto 0);
  begin
    while not endfile(given) loop
      readline(given, words);
      hread(words, word);  number <= word;
      hread(words, word);  multiplier <= word;
      hread(words, short); shift <= short(5 downto 0);
      wait for 10 ns;
      hwrite(says, byte);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

-- One sum of products a line: how many pairs (decimal), and the pairs (hexadecimal bytes) -> the sum, and cycles.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_mac is
  generic (asked, answered : string);
end entity;

architecture bench of bench_mac is
  signal left, right : std_logic_vector(7 downto 0) := (others => '0');
  signal sum : std_logic_vector(31 downto 0);
  signal clock, reset_n, enable : std_logic := '0';
begin
  unit : entity work.MAC
    generic map (data_size => 8, acc_size => 32)
    port map (data_in_A => left, data_in_B => right, CLK => clock, RST_n => reset_n, ENABLE => enable, data_out => sum);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable byte : std_logic_vector(7 downto 0);
    variable count, cycles : natural;
  begin
    while not endfile(given) loop
      readline(given, words);
      read(words, count);
      reset_n <= '0'; enable <= '0';
      wait for 10 ns;
      reset_n <= '1'; enable <= '1'; cycles := 0;
      for place in 1 to count loop
        hread(words, byte); left <= byte;
        hread(words, byte); right <= byte;
        wait for 5 ns; clock <= '1';
        wait for 5 ns; clock <= '0';
        cycles := cycles + 1;
      end loop;
      hwrite(says, sum);
      write(says, string'(" ")); write(says, cycles);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

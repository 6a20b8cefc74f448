-- One row a line: how many (decimal), b, c, ln2, divisor, and the numbers (hexadecimal) -> the words that come out, and
-- cycles from the first number in to the last word out: the row is read for its maximum, for its sum, and for its words.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_softmax is
  generic (asked, answered : string);
end entity;

architecture bench of bench_softmax is
  type row_type is array (0 to 63) of std_logic_vector(31 downto 0);
  signal number, b, c, ln2, result : std_logic_vector(31 downto 0) := (others => '0');
  signal divisor : std_logic_vector(31 downto 0) := x"00000001";
  signal clock, reset_n, is_max, is_sum : std_logic := '0';
begin
  unit : entity work.I_SOFTMAX
    port map (q_in_soft => number, q_b => b, q_c => c, q_ln2 => ln2, q_ln2_neg_inv => divisor, CLK => clock,
              RST_n => reset_n, EN_max => is_max, EN_acc => is_sum, q_out_soft => result);

  process
    file given : text open read_mode is asked;
    file found : text open write_mode is answered;
    variable words, says : line;
    variable word : std_logic_vector(31 downto 0);
    variable row  : row_type;
    variable count, cycles : natural;

    procedure tick is
    begin
      wait for 5 ns; clock <= '1';
      wait for 5 ns; clock <= '0';
      cycles := cycles + 1;
    end procedure;
  begin
    while not endfile(given) loop
      readline(given, words);
      read(words, count);
      hread(words, word); b <= word;
      hread(words, word); c <= word;
      hread(words, word); ln2 <= word;
      hread(words, word); divisor <= word;
      for place in 0 to count - 1 loop
        hread(words, word); row(place) := word;
      end loop;
      reset_n <= '0'; is_max <= '0'; is_sum <= '0';
      wait for 10 ns;
      reset_n <= '1'; cycles := 0;
      is_max <= '1';
      for place in 0 to count - 1 loop
        number <= row(place); tick;
      end loop;
      is_max <= '0'; is_sum <= '1';
      for place in 0 to count - 1 loop
        number <= row(place); tick;
      end loop;
      is_sum <= '0';
      for place in 0 to count - 1 loop
        number <= row(place); tick;
        hwrite(says, result); write(says, string'(" "));
      end loop;
      write(says, cycles);
      writeline(found, says);
    end loop;
    wait;
  end process;
end architecture;

-- One row a line: how many (decimal), the divisor c, and the numbers (hexadecimal) -> the words that come out, and cycles
-- from the first number in to the last word out. The row is read for its mean, for its squares, and for its words.
-- The accumulator is cleared only by RST_n, which clears the mean, too: squares are added to the sum.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench_layer_norm is
  generic (asked, answered : string);
end entity;

architecture bench of bench_layer_norm is
  type row_type is array (0 to 63) of std_logic_vector(31 downto 0);
  signal number, result : std_logic_vector(31 downto 0) := (others => '0');
  signal c : std_logic_vector(31 downto 0) := x"00000001";
  signal clock, reset_n, is_sum, is_mean, is_root, is_sigma, squares, iterating : std_logic := '0';
  signal is_valid, is_zero : std_logic;
begin
  unit : entity work.LayerNorm
    port map (q_in_norm => number, c => c, CLK => clock, RST_n => reset_n, EN_acc => is_sum, EN_avg => is_mean,
              EN_sqrt => is_root, EN_sigma => is_sigma, SEL => squares, SEL_sqrt => iterating, VAL => is_valid,
              Z => is_zero, q_out_norm => result);

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
      hread(words, word); c <= word;
      for place in 0 to count - 1 loop
        hread(words, word); row(place) := word;
      end loop;
      reset_n <= '0';
      squares <= '0'; iterating <= '0'; is_sum <= '0'; is_mean <= '0'; is_root <= '0'; is_sigma <= '0';
      wait for 10 ns;
      reset_n <= '1'; cycles := 0;
      is_sum <= '1';
      for place in 0 to count - 1 loop
        number <= row(place); tick;
      end loop;
      is_sum <= '0'; is_mean <= '1'; tick;
      is_mean <= '0'; is_sum <= '1'; squares <= '1';
      for place in 0 to count - 1 loop
        number <= row(place); tick;
      end loop;
      is_sum <= '0'; is_root <= '1'; iterating <= '1';
      for step in 1 to 100 loop
        tick;
        exit when is_valid = '1' or is_zero = '1';
      end loop;
      is_root <= '0'; is_sigma <= '1'; tick;
      is_sigma <= '0';
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

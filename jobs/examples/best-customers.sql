-- Who bought most in a year? A report with two parameters.
--
-- Comments at the top may hold headers, a word and a colon. A word that is no header is refused,
-- so that a typing error does not go by in silence; lines such as this one are for people.
--
-- name: best-customers
-- database: sales
-- priority: 10
-- timeout: 1m
-- param year: "2025"
-- param top: 10
--
-- The value of `top` is JSON, so it is a number; without the quotes `year` would be one, too.

SELECT customers.name, customers.city,
       count(DISTINCT orders.id) AS orders,
       sum(lines.quantity * lines.price_cents) / 100.0 AS spent
  FROM customers
  JOIN orders ON orders.customer_id = customers.id
  JOIN lines  ON lines.order_id = orders.id
 WHERE orders.ordered_on BETWEEN :year || '-01-01' AND :year || '-12-31'
 GROUP BY customers.id
 ORDER BY spent DESC, customers.id
 LIMIT :top;

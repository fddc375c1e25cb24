-- Sales by city as CSV, for a spreadsheet. Beside the JSON that every file gets, the result lies in
-- results/cities.sql.csv, byte for byte.
--
-- name: cities
-- database: sales
-- format: csv

SELECT customers.city,
       count(DISTINCT customers.id) AS customers,
       count(DISTINCT orders.id) AS orders,
       sum(lines.quantity * lines.price_cents) / 100.0 AS spent
  FROM customers
  JOIN orders ON orders.customer_id = customers.id
  JOIN lines  ON lines.order_id = orders.id
 GROUP BY customers.city
 ORDER BY spent DESC;

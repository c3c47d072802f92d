//! Host names, domains, countries: the rules, shared by the stages that fill them in.

//! What `core` lacks; the compiler's own library has it.

extern "C" {
    #[link_name = "exp"]
    fn c_exp(x: f64) -> f64;
    #[link_name = "log"]
    fn c_log(x: f64) -> f64;
    #[link_name = "pow"]
    fn c_pow(x: f64, y: f64) -> f64;
}

pub fn exp(x: f64) -> f64 {
    unsafe { c_exp(x) }
}

pub fn ln(x: f64) -> f64 {
    unsafe { c_log(x) }
}

pub fn pow(x: f64, y: f64) -> f64 {
    unsafe { c_pow(x, y) }
}

pub fn sqrt(x: f64) -> f64 {
    pow(x, 0.5)
}

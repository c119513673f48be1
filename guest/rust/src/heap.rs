//! The heap: blocks of powers of two, each size with a list of its free ones. A run is short, so nothing is merged.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

const PAGE: usize = 65_536;
/// 16 bytes.
const SMALLEST: usize = 4;

struct Heap {
    free: [*mut u8; 32],
    /// From here on nothing has been given out.
    next: usize,
    end: usize,
}

struct Shared(UnsafeCell<Heap>);

// A module has one thread.
unsafe impl Sync for Shared {}

#[global_allocator]
static HEAP: Shared = Shared(UnsafeCell::new(Heap { free: [null_mut(); 32], next: 0, end: 0 }));

unsafe impl GlobalAlloc for Shared {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        (*self.0.get()).take(class_of(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let free = &mut (*self.0.get()).free[class_of(layout)];
        *(block as *mut *mut u8) = *free;
        *free = block;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let wanted = Layout::from_size_align_unchecked(size, layout.align());
        if class_of(wanted) == class_of(layout) {
            return block;
        }
        let moved = self.alloc(wanted);
        if !moved.is_null() {
            core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
            self.dealloc(block, layout);
        }
        moved
    }
}

fn class_of(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    size.next_power_of_two().trailing_zeros() as usize
}

impl Heap {
    unsafe fn take(&mut self, class: usize) -> *mut u8 {
        let first = self.free[class];
        if !first.is_null() {
            self.free[class] = *(first as *mut *mut u8);
            return first;
        }
        let size = 1_usize << class;
        if self.end == 0 {
            self.end = memory_size(0) * PAGE;
            self.next = self.end;
        }
        // Blocks up to a page are as aligned as they are large.
        let start = (self.next + size.min(PAGE) - 1) & !(size.min(PAGE) - 1);
        let needed = (start + size).saturating_sub(self.end);
        if needed > 0 {
            let pages = (needed + PAGE - 1) / PAGE;
            if memory_grow(0, pages) == usize::MAX {
                return null_mut();
            }
            self.end += pages * PAGE;
        }
        self.next = start + size;
        start as *mut u8
    }
}

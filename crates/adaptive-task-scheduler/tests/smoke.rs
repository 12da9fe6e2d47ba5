use adaptive_task_scheduler::*;
use std::time::Duration;

#[test]
fn spawn_and_join() {
    let s = Scheduler::builder().io_slots(2).build_runtime().unwrap();
    let h = s.spawn(async { 1 });
    assert_eq!(s.block_on(h).unwrap(), 1);
    let v: Vec<_> = (0..1000).map(|i| s.spawn(async move { i })).collect();
    let sum: i32 = s.block_on(async {
        let mut n = 0;
        for h in v {
            n += h.await.unwrap();
        }
        n
    });
    assert_eq!(sum, 499500);
    let s2 = s.clone();
    let h = s.spawn(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let a = s2.spawn(async {
            yield_now().await;
            5
        });
        let b = s2.cpu(|| 6);
        let c = s2.blocking(|| 7);
        a.await.unwrap() + b.await.unwrap() + c.await.unwrap()
    });
    assert_eq!(s.block_on(h).unwrap(), 18);
    println!("{:?}", s.stats());
    let r = s.block_on(s.shutdown(Duration::from_secs(1)));
    println!("{r:?}");
}
